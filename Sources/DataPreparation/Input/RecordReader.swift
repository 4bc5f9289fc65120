/// Reads files one behind the other, as lines and documents with their places.
package final class RecordReader {
    /// Where a document ends in a text file.
    package enum Documents: String, Sendable, CaseIterable, Codable {
        /// At blank lines.
        case blankLines = "blank-lines"
        /// At the file's end.
        case files
    }

    /// A line of JSON or a document of text, not yet read.
    struct Item: Sendable {
        /// Counted from 0.
        var file: Int
        /// The line it begins at, from 1.
        var line: Int
        var kind: InputFile.Kind
        var bytes: [UInt8]
    }

    private let paths: [String]
    private let kind: InputFile.Kind?
    private let documents: Documents
    private var file = -1
    private var input: InputFile?
    private var line = 0
    private var bytesBefore = 0

    init(_ paths: [String], kind: InputFile.Kind?, documents: Documents) {
        (self.paths, self.kind, self.documents) = (paths, kind, documents)
    }

    /// Bytes read from the disk.
    var bytesRead: Int { bytesBefore + (input?.bytesRead ?? 0) }

    /// Items of some `bytes` together, at most `count`; empty at the end.
    func batch(bytes limit: Int, count: Int) throws(DataError) -> [Item] {
        var items: [Item] = [], size = 0
        while size < limit, items.count < count, let item = try next() {
            size += item.bytes.count
            items.append(item)
        }
        return items
    }

    private func next() throws(DataError) -> Item? {
        while true {
            if let input {
                if let item = try input.kind == .text ? document(of: input) : jsonLine(of: input) { return item }
                bytesBefore += input.bytesRead
            }
            file += 1
            guard file < paths.count else {
                input = nil
                return nil
            }
            (input, line) = (try InputFile(paths[file], kind: kind), 0)
        }
    }

    private func nextLine(of input: InputFile) throws(DataError) -> [UInt8]? {
        guard let bytes = try input.line() else { return nil }
        line += 1
        let hasMark = line == 1 && bytes.starts(with: [0xEF, 0xBB, 0xBF])
        return hasMark ? Array(bytes.dropFirst(3)) : bytes
    }

    private static func isBlank(_ line: [UInt8]) -> Bool { line.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }

    private func jsonLine(of input: InputFile) throws(DataError) -> Item? {
        while let bytes = try nextLine(of: input) {
            if Self.isBlank(bytes) { continue }
            return Item(file: file, line: line, kind: .jsonLines, bytes: bytes)
        }
        return nil
    }

    private func document(of input: InputFile) throws(DataError) -> Item? {
        var item: Item?
        while let bytes = try nextLine(of: input) {
            if documents == .blankLines, Self.isBlank(bytes) {
                if let item { return item }
                continue
            }
            if item == nil {
                item = Item(file: file, line: line, kind: .text, bytes: bytes)
            } else {
                item?.bytes.append(UInt8(ascii: "\n"))
                item?.bytes += bytes
            }
            guard (item?.bytes.count ?? 0) <= InputFile.limit else {
                throw DataError(
                    .invalidData,
                    "\(input.path): the document that begins at line \(item?.line ?? 0) has more than \(InputFile.limit) "
                        + "bytes, which are the most that one may have; --documents blank-lines cuts at blank lines")
            }
        }
        return item
    }
}

extension DataRecord {
    /// - Throws: `Fault` for what is no UTF-8, or no record.
    init(_ item: RecordReader.Item, keeping kept: Set<String>) throws(Fault) {
        switch item.kind {
        case .jsonLines: try self.init(line: item.bytes, keeping: kept)
        case .text:
            guard let text = String(validating: item.bytes, as: UTF8.self) else {
                throw Fault(clause: "is not UTF-8")
            }
            self.init(text: text)
        }
    }
}
