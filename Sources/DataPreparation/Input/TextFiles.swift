/// Files of texts as a whole, for those who measure: what `nephele data` reads and writes.
package enum TextFiles {
    /// The beginning of a file's text: of a text as it stands, of JSON Lines the records' texts with blank lines between.
    ///
    /// - Parameter limit: bytes, at which the text is cut between characters.
    /// - Throws: `DataError.invalidData` for what is no UTF-8, or no record.
    package static func beginning(of path: String, bytes limit: Int) throws(DataError) -> String {
        let input = try InputFile(path, kind: nil)
        var bytes: [UInt8] = [], number = 0
        while bytes.count < limit, let line = try input.line() {
            number += 1
            let hasMark = number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF])
            let own = hasMark ? Array(line.dropFirst(3)) : line
            if input.kind == .text {
                bytes += own + [0x0A]
            } else if !own.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
                do throws(DataRecord.Fault) {
                    let texts = try DataRecord(line: own, keeping: []).texts
                    bytes += Array((bytes.isEmpty ? "" : "\n\n").utf8) + Array(texts.joined(separator: "\n").utf8)
                } catch { throw DataError(.invalidData, "\(path):\(number): \(error.clause)") }
            }
        }
        if bytes.count > limit {
            var end = limit
            while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            bytes.removeSubrange(end...)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw DataError(.invalidData, "\(path) is not UTF-8")
        }
        return text
    }

    /// Every document of files, one after the other.
    ///
    /// - Throws: `DataError.invalidData` for what is no UTF-8, or no record.
    package static func forEach(in paths: [String], _ body: (String) -> Void) throws(DataError) {
        let reader = RecordReader(paths, kind: nil, documents: .blankLines)
        while let item = try reader.batch(bytes: 1, count: 1).first {
            do throws(DataRecord.Fault) {
                for text in try DataRecord(item, keeping: []).texts { body(text) }
            } catch { throw DataError(.invalidData, "\(paths[item.file]):\(item.line): \(error.clause)") }
        }
    }
}
