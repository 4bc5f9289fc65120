import Foundation

/// What a GGUF file (version 2 or 3, little-endian) says before its data: metadata by key, and where each tensor lies. A
/// file in parts (``GGUFParts``) is read as one.
///
/// Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package struct GGUFHeader: Sendable {
    /// Where a tensor lies.
    package struct TensorInfo: Sendable {
        package var type: GGUFTensorType
        /// Outermost first, as everywhere here; the file has the innermost first.
        package var shape: [Int]
        /// The file that holds it, one of `files`.
        package var file: Int
        /// Bytes from the file's beginning.
        package var offset: Int
        /// 0 for a type that is not read here.
        package var byteCount: Int
    }

    /// The first file's.
    package let path: String
    /// The files, and the size of each when its header was read.
    package private(set) var files: [(path: String, size: Int)] = []
    package private(set) var metadata: [String: GGUFValue] = [:]
    package private(set) var tensors: [String: TensorInfo] = [:]

    /// - Throws: `GGUFError` that names the file and the key or tensor: it is truncated, or not such a file.
    package init(path: String) throws(GGUFError) {
        let paths = try GGUFParts.paths(of: path)
        if let known = GGUFHeaders.known(paths) {
            self = known
            return
        }
        let stamp = GGUFHeaders.stamp(paths)
        try self.init(path: path, parts: paths)
        GGUFHeaders.keep(self, stamp, of: paths)
    }

    private init(path: String, parts paths: [String]) throws(GGUFError) {
        try self.init(file: path)
        let parts = metadata["split.count"]?.integer ?? 1
        guard parts == paths.count || parts == 0 && paths.count == 1 else {
            throw GGUFError(
                .malformed, "\(path) says that it is one of \(parts) parts, but its name says \(paths.count)")
        }
        for (index, part) in paths.enumerated().dropFirst() { try add(GGUFHeader(file: part), part: index, of: parts) }
        if parts > 1, let total = metadata["split.tensors.count"]?.integer, total != tensors.count {
            throw GGUFError(
                .malformed, "\(path) says that its parts hold \(total) tensors; they hold \(tensors.count)")
        }
    }

    /// Takes in the tensors of another part.
    private mutating func add(_ other: GGUFHeader, part: Int, of count: Int) throws(GGUFError) {
        func malformed(_ what: String) -> GGUFError { GGUFError(.malformed, "\(other.path) \(what)") }
        guard other.metadata["split.no"]?.integer == part, other.metadata["split.count"]?.integer == count else {
            throw malformed("does not say that it is part \(part + 1) of \(count)")
        }
        // What a later part says of the model would be passed over.
        let known = ["split.no", "split.count", "split.tensors.count", "general.alignment"]
        if let key = other.metadata.keys.sorted().first(where: { !known.contains($0) }) {
            throw malformed("has the key \"\(key)\", which belongs into the first part")
        }
        for (name, info) in other.tensors {
            var info = info
            info.file = files.count
            guard tensors.updateValue(info, forKey: name) == nil else {
                throw malformed("has the tensor \"\(name)\", which another part has too")
            }
        }
        files += other.files
    }

    private init(file path: String) throws(GGUFError) {
        var reader = try GGUFReader(path: path)
        defer { reader.close() }
        self.path = path
        files = [(path, reader.fileSize)]
        guard try reader.take(4, "the file's mark").elementsEqual(Array("GGUF".utf8)) else {
            throw reader.malformed("the first bytes are not \"GGUF\"")
        }
        let version = try reader.integer(UInt32.self, "the version")
        guard version == 2 || version == 3 else {
            let swapped = version.byteSwapped == 2 || version.byteSwapped == 3
            throw GGUFError(
                .unsupported,
                "\(path): "
                    + (swapped
                        ? "the file is big-endian; only little-endian ones are supported"
                        : "version \(version) is not supported; known: 2, 3"))
        }
        // A tensor's entry takes at least 32 bytes, one of the metadata 13.
        let tensorCount = try reader.count(of: 32, "the number of tensors")
        let keyCount = try reader.count(of: 13, "the number of metadata entries")
        for _ in 0..<keyCount { try readEntry(&reader) }
        var infos: [(name: String, type: GGUFTensorType, shape: [Int], offset: UInt64)] = []
        for _ in 0..<tensorCount { infos.append(try Self.readInfo(&reader)) }
        try place(infos, after: reader.position, alignment: try alignment(reader), size: reader.fileSize)
    }

    private mutating func readEntry(_ reader: inout GGUFReader) throws(GGUFError) {
        let key = try Self.name(&reader, "a metadata key")
        let value = try reader.value(try reader.kind("\"\(key)\""), "\"\(key)\"")
        guard metadata.updateValue(value, forKey: key) == nil else {
            throw reader.malformed("the metadata have \"\(key)\" twice")
        }
    }

    private static func name(_ reader: inout GGUFReader, _ what: String) throws(GGUFError) -> String {
        let bytes = try reader.string(what)
        guard bytes.count <= 65_535, let name = String(validating: bytes, as: UTF8.self) else {
            throw reader.malformed("\(what) of \(bytes.count) bytes is too long or not UTF-8")
        }
        return name
    }

    private static func readInfo(
        _ reader: inout GGUFReader
    ) throws(GGUFError) -> (name: String, type: GGUFTensorType, shape: [Int], offset: UInt64) {
        let name = try name(&reader, "a tensor's name")
        let dimensions = try reader.integer(UInt32.self, "tensor \"\(name)\"")
        guard dimensions <= 4 else {
            throw reader.malformed("tensor \"\(name)\" has \(dimensions) dimensions; at most 4 are possible")
        }
        var shape: [Int] = []
        for _ in 0..<dimensions {
            let extent = try reader.integer(UInt64.self, "tensor \"\(name)\"")
            guard extent <= UInt64(Int32.max) else {
                throw reader.malformed("tensor \"\(name)\" has an extent of \(extent)")
            }
            shape.insert(Int(extent), at: 0)
        }
        let type = GGUFTensorType(try reader.integer(UInt32.self, "tensor \"\(name)\""))
        return (name, type, shape, try reader.integer(UInt64.self, "tensor \"\(name)\""))
    }

    private func alignment(_ reader: GGUFReader) throws(GGUFError) -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard let alignment = value.integer, alignment >= 1, alignment <= 1 << 20,
            alignment & (alignment - 1) == 0
        else { throw reader.malformed("\"general.alignment\" is not a power of two up to \(1 << 20)") }
        return alignment
    }

    /// Checks that every tensor lies within the file, alone.
    private mutating func place(
        _ infos: [(name: String, type: GGUFTensorType, shape: [Int], offset: UInt64)], after header: Int,
        alignment: Int, size: Int
    ) throws(GGUFError) {
        func malformed(_ name: String, _ what: String) -> GGUFError {
            GGUFError(.malformed, "tensor \"\(name)\" in \(path) \(what)")
        }
        let start = (header + alignment - 1) / alignment * alignment
        for info in infos {
            let bytes = try Self.byteCount(info.type, info.shape) { malformed(info.name, $0) }
            guard info.offset % UInt64(alignment) == 0 else {
                throw malformed(info.name, "lies at \(info.offset), which is no multiple of \(alignment)")
            }
            let room = max(0, size - start)
            guard info.offset <= UInt64(room), bytes <= room - Int(info.offset) else {
                throw malformed(
                    info.name, "takes \(bytes) bytes from \(info.offset) of \(room) on: the file is truncated")
            }
            let placed = TensorInfo(
                type: info.type, shape: info.shape, file: 0, offset: start + Int(info.offset), byteCount: bytes)
            guard tensors.updateValue(placed, forKey: info.name) == nil else {
                throw malformed(info.name, "is there twice")
            }
        }
        var end = 0
        for (name, info) in tensors.sorted(by: { $0.value.offset < $1.value.offset }) where info.byteCount > 0 {
            guard info.offset >= end else { throw malformed(name, "overlaps another one") }
            end = info.offset + info.byteCount
        }
    }

    private static func byteCount(
        _ type: GGUFTensorType, _ shape: [Int], malformed: (String) -> GGUFError
    ) throws(GGUFError) -> Int {
        guard let block = type.block else { return 0 }
        let width = shape.last ?? 1
        guard width % block.elements == 0 else {
            throw malformed("is \(type.name) \(shape), but its rows are no whole number of \(block.elements)")
        }
        var count = width / block.elements
        for extent in shape.dropLast() + [block.bytes] {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw malformed("has the shape \(shape), which is too large") }
            count = product
        }
        return count
    }
}
