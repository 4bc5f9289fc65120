import Compression
import Foundation

/// A file of lines, plain or gzip'd, read piece by piece: memory does not grow with it.
package final class InputFile {
    /// What is in a file.
    package enum Kind: String, Sendable, CaseIterable, Codable { case jsonLines = "jsonl", text }

    let path: String
    let kind: Kind
    /// Bytes read from the disk.
    private(set) var bytesRead = 0

    private let handle: FileHandle
    private let inflater: Inflater?
    private var buffer: [UInt8] = []
    private var position = 0
    private var hasEnded = false

    private static let chunk = 256 << 10
    /// The longest line, and the longest document of a text, in bytes.
    static let limit = 64 << 20

    /// - Throws: `DataError`: `invalidData` for what cannot be opened, `unsupported` for formats that are not read.
    init(_ path: String, kind given: Kind?) throws(DataError) {
        self.path = path
        guard (try? FileManager.default.contentsOfDirectory(atPath: path)) == nil else {
            throw DataError(.invalidData, "\(path) is a directory; name the files in it")
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw DataError(.invalidData, "\(path) does not exist")
        }
        let first: [UInt8]
        do {
            handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            first = Array(try handle.read(upToCount: Self.chunk) ?? Data())
        } catch { throw DataError(.invalidData, "cannot read \(path): \(error.localizedDescription)") }
        bytesRead = first.count
        let isCompressed = first.starts(with: Inflater.magic)
        inflater = isCompressed ? Inflater() : nil
        if let given { kind = given } else { kind = try Self.kind(of: path, isCompressed: isCompressed) }
        if first.starts(with: Array("PAR1".utf8)) { throw Self.unread(path, "Parquet") }
        for (magic, name) in Self.foreign where first.starts(with: magic) { throw Self.unread(path, name) }
        if let inflater { inflater.feed(first) } else { buffer = first }
        hasEnded = first.isEmpty
    }

    deinit { try? handle.close() }

    private static let foreign: [([UInt8], String)] = [
        ([0x28, 0xB5, 0x2F, 0xFD], "zstd"), ([0x42, 0x5A, 0x68], "bzip2"), ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "xz"),
        ([0x50, 0x4B, 0x03, 0x04], "zip"), (Array("ARROW1".utf8), "Arrow"),
    ]

    private static func unread(_ path: String, _ format: String) -> DataError {
        let advice =
            ["Parquet", "Arrow"].contains(format)
            ? "write it as JSON Lines first: python3 -c 'import datasets; datasets.Dataset.from_parquet(\"FILE\")"
                + ".to_json(\"FILE.jsonl\")', or DuckDB's COPY … TO 'FILE.jsonl' (FORMAT json)"
            : "unpack it first, or pack it with gzip"
        return DataError(.unsupported, "\(path) is \(format), which is not read; \(advice)")
    }

    private static func kind(of path: String, isCompressed: Bool) throws(DataError) -> Kind {
        var name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
        if name.hasSuffix(".gz") { name.removeLast(3) }
        switch name.split(separator: ".").last {
        case "jsonl", "ndjson", "json": return .jsonLines
        case "txt", "text", "md": return .text
        case "parquet": throw unread(path, "Parquet")
        case let suffix:
            throw DataError(
                .unsupported,
                "\(path): what is in files named .\(suffix ?? "") is not known; read are .jsonl, .ndjson and .json (JSON "
                    + "Lines), .txt, .text and .md (text), each also with .gz; --format says it for all files")
        }
    }

    /// The next line without its end (`\n` or `\r\n`); nil behind the last one.
    ///
    /// - Throws: `DataError.invalidData` for broken compression and lines beyond `limit`.
    func line() throws(DataError) -> [UInt8]? {
        var search = position
        while true {
            if let end = buffer[search...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[position..<end]
                position = end + 1
                return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
            }
            search = buffer.count - position
            guard search <= Self.limit else {
                throw DataError(
                    .invalidData,
                    "\(path): a line has more than \(Self.limit) bytes, which are the most that one may have")
            }
            buffer.removeFirst(position)
            position = 0
            guard try fill() else {
                guard !buffer.isEmpty else { return nil }
                defer { buffer = [] }
                return buffer
            }
        }
    }

    /// More bytes into the buffer; false at the end of the file.
    private func fill() throws(DataError) -> Bool {
        while true {
            do {
                if let inflater {
                    let more = try inflater.next(limit: Self.chunk)
                    if !more.isEmpty {
                        buffer += more
                        return true
                    }
                }
                if hasEnded {
                    try inflater?.finish()
                    return false
                }
                let more = try handle.read(upToCount: Self.chunk) ?? Data()
                bytesRead += more.count
                hasEnded = more.isEmpty
                guard let inflater else {
                    buffer += more
                    return !more.isEmpty
                }
                inflater.feed(more)
            } catch {
                throw DataError(.invalidData, "\(path): \(error)")
            }
        }
    }
}
