internal import CKernels
internal import Foundation
internal import Glibc

/// The packed matrices of one checkpoint in a file: 64 bytes that say what it is, a JSON header, and each matrix's
/// panels from a multiple of 4,096 on, with a checksum for every MiB.
///
/// | bytes | what                                              |
/// |-------|---------------------------------------------------|
/// | 0–7   | "NEPHPACK"                                        |
/// | 8–15  | version of this layout and of the panels'         |
/// | 16–23 | bytes of the header, which follows at 64          |
/// | 24–31 | checksum of the header                            |
/// | 32–39 | bytes of the file                                 |
struct PackedFile: Sendable {
    /// Changes whenever the layout of panels does.
    static let version = 2
    static let mark = Array("NEPHPACK".utf8)
    static let prefixBytes = 64, alignment = 4_096, sumBlock = 1 << 20
    private static let headerLimit = 64 << 20

    struct Header: Codable {
        var key: String
        var matrices: [Entry]
    }

    struct Entry: Codable {
        var name: String
        /// A plain type, or nil for whole numbers in groups.
        var dtype: String?
        var bits: Int?
        var group: Int?
        var scales: String?
        /// What codes of floats are.
        var codes: String?
        /// Which input stands at each place.
        var inputOrder: [Int32]?
        var columns: Int
        var depth: Int
        var offset: Int
        var bytes: Int
        /// The checksum of each block of a MiB, as a bit pattern.
        var sums: [Int]

        var format: PackedMatrix.Format? {
            if let dtype { return DType(rawValue: dtype).map { .plain($0) } }
            if let codes {
                guard let codes = CodedFormat.Codes(rawValue: codes), let group, (1..<1 << 31).contains(group),
                    codes == .e4m3 || group % 2 == 0
                else { return nil }
                return .coded(CodedFormat(codes, group: group))
            }
            guard let bits, let group, let scales = scales.flatMap(GroupedFormat.Scales.init) else { return nil }
            return GroupedFormat(stored: bits, group, scales).map { .grouped($0) }
        }
    }

    /// Mapped, by name.
    let matrices: [String: PackedMatrix]

    /// - Returns: nil for a file that is not there, foreign, of another version, truncated or corrupt.
    init?(path: String, key: String, on device: Device) {
        guard let file = try? ReadableFile(path: path), file.owner == geteuid() || file.owner == 0,
            let header = Self.header(of: file, key: key)
        else { return nil }
        var matrices: [String: PackedMatrix] = [:]
        for entry in header.matrices {
            guard let matrix = Self.map(entry, of: file, on: device) else { return nil }
            matrices[entry.name] = matrix
        }
        self.matrices = matrices
    }

    private static func header(of file: ReadableFile, key: String) -> Header? {
        guard let prefix = try? file.bytes(prefixBytes, at: 0, "its first bytes"), Array(prefix[..<8]) == mark else {
            return nil
        }
        func word(_ index: Int) -> UInt64 {
            prefix[8 * index..<8 * index + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard word(1) == UInt64(version), word(2) <= UInt64(headerLimit), word(4) == UInt64(file.size),
            let bytes = try? file.bytes(Int(word(2)), at: prefixBytes, "its header"), sum(of: bytes) == word(3),
            let header = try? JSONDecoder().decode(Header.self, from: Data(bytes)), header.key == key
        else { return nil }
        return header
    }

    private static func map(_ entry: Entry, of file: ReadableFile, on device: Device) -> PackedMatrix? {
        let (end, overflow) = entry.offset.addingReportingOverflow(entry.bytes)
        guard let format = entry.format, (0..<1 << 31).contains(entry.columns), (0..<1 << 31).contains(entry.depth),
            entry.offset >= 0, entry.offset % alignment == 0, entry.bytes > 0, !overflow, end <= file.size,
            PackedMatrix.panelBytes(format, columns: entry.columns, depth: entry.depth) == entry.bytes,
            let storage = try? Storage(of: file, offset: entry.offset, byteCount: entry.bytes),
            sums(of: storage, on: device).map({ Int(bitPattern: UInt($0)) }) == entry.sums
        else { return nil }
        var order: Tensor?
        if let inputs = entry.inputOrder {
            guard inputs.count == entry.depth, inputs.allSatisfy({ $0 >= 0 && $0 < entry.depth }),
                let tensor = try? Tensor(int32s: inputs)
            else { return nil }
            order = tensor
        }
        return PackedMatrix(format, columns: entry.columns, depth: entry.depth, inputOrder: order, storage: storage)
    }

    /// The checksum of each block of a storage.
    ///
    /// - Parameter device: divides the work; nil for this thread alone.
    static func sums(of storage: Storage, on device: Device?) -> [UInt64] {
        let blocks = (storage.byteCount + sumBlock - 1) / sumBlock
        return withExtendedLifetime(storage) {
            [UInt64](unsafeUninitializedCapacity: blocks) { sums, initialized in
                let args = nephele_checksum_args(
                    data: storage.bytes.assumingMemoryBound(to: UInt8.self), bytes: storage.byteCount,
                    block_bytes: sumBlock, sums: sums.baseAddress)
                if let device {
                    device.run(nephele_checksum, args, count: blocks)
                } else {
                    withUnsafePointer(to: args) { nephele_checksum($0, 0, blocks) }
                }
                initialized = blocks
            }
        }
    }

    /// The checksum of all bytes together.
    static func sum(of bytes: [UInt8]) -> UInt64 {
        var sum: UInt64 = 0
        bytes.withUnsafeBufferPointer { buffer in
            withUnsafeMutablePointer(to: &sum) { sum in
                let args = nephele_checksum_args(
                    data: buffer.baseAddress, bytes: buffer.count, block_bytes: max(1, buffer.count), sums: sum)
                withUnsafePointer(to: args) { nephele_checksum($0, 0, 1) }
            }
        }
        return sum
    }
}
