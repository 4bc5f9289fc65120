internal import Foundation
internal import Glibc

/// Writes a `PackedFile`.
struct PackedFileWriter {
    let header: PackedFile.Header
    let byteCount: Int
    private let start: [UInt8]
    private let matrices: [PackedMatrix]

    init(_ matrices: [(name: String, matrix: PackedMatrix)], key: String) {
        self.matrices = matrices.map(\.matrix)
        var header = PackedFile.Header(key: key, matrices: [])
        var end = 0
        for (name, matrix) in matrices {
            let storage = matrix.panels.storage
            var entry = PackedFile.Entry(
                name: name, columns: matrix.columns, depth: matrix.depth, offset: end, bytes: matrix.byteCount,
                sums: PackedFile.sums(of: storage, on: nil).map { Int(bitPattern: UInt($0)) })
            switch matrix.format {
            case .plain(let dtype): entry.dtype = dtype.rawValue
            case .grouped(let format):
                (entry.bits, entry.group, entry.scales) = (format.bits, format.group, format.scales.rawValue)
                entry.inputOrder = matrix.inputOrder?.int32s
            case .coded(let format): (entry.codes, entry.group) = (format.codes.rawValue, format.group)
            }
            header.matrices.append(entry)
            end += Self.aligned(matrix.byteCount)
        }
        // The header's own length moves the offsets, which are part of it: room for the longest that they can get.
        let room = Self.aligned(
            PackedFile.prefixBytes + ((try? JSONEncoder().encode(header).count) ?? 0) + 20 * matrices.count)
        for index in header.matrices.indices { header.matrices[index].offset += room }
        let json = Array((try? JSONEncoder().encode(header)) ?? Data())
        (self.header, byteCount) = (header, room + end)
        var start = PackedFile.mark
        for word in [
            UInt64(PackedFile.version), UInt64(json.count), PackedFile.sum(of: json),
            UInt64(byteCount),
        ] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                start.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        start += [UInt8](repeating: 0, count: PackedFile.prefixBytes - start.count)
        self.start = start + json
    }

    private static func aligned(_ count: Int) -> Int {
        (count + PackedFile.alignment - 1) / PackedFile.alignment * PackedFile.alignment
    }

    /// - Returns: false when the disk is full, the folder is read-only, or the like.
    func write(to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(byteCount)) == 0, start.count <= header.matrices.first?.offset ?? 0 else {
            return false
        }
        let isStartWritten = start.withUnsafeBytes { buffer in
            buffer.baseAddress.map { Self.write($0, buffer.count, at: 0, to: descriptor) } ?? false
        }
        guard isStartWritten else { return false }
        return zip(header.matrices, matrices).allSatisfy { entry, matrix in
            withExtendedLifetime(matrix) {
                Self.write(matrix.panels.raw, entry.bytes, at: entry.offset, to: descriptor)
            }
        }
    }

    private static func write(_ data: UnsafeRawPointer, _ count: Int, at offset: Int, to descriptor: Int32) -> Bool {
        var done = 0
        while done < count {
            let n = pwrite(descriptor, data + done, min(count - done, 64 << 20), off_t(offset + done))
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { return false }
            done += n
        }
        return true
    }
}
