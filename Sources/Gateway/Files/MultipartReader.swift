import NIOCore

/// Reads `multipart/form-data` (RFC 7578) as it comes, in memory that does not depend on the size of its parts.
struct MultipartReader {
    /// What a piece of the body brings.
    enum Event: Equatable {
        /// A part begins; without the name of a file it is a field.
        case part(name: String, fileName: String?)
        case bytes([UInt8])
    }

    private enum State { case preamble, headers, content, body, end }

    /// Bytes of a part's header, at most.
    private static let headerLimit = 8 << 10
    /// Parts, at most.
    private static let partLimit = 32

    private let delimiter: [UInt8]
    private var buffer: [UInt8]
    private var state = State.preamble
    private var parts = 0

    var isComplete: Bool { state == .end }

    /// - Parameter contentType: the header field of the request.
    /// - Throws: `APIError` where it names no form.
    init(contentType: String?) throws {
        let fields = (contentType ?? "").split(separator: ";").map { $0.trimmed }
        guard fields.first?.lowercased() == "multipart/form-data" else {
            throw APIError.invalidRequest(
                "A file is sent as multipart/form-data; this is '\((contentType ?? "").prefix(100))'.",
                parameter: "Content-Type")
        }
        let named = fields.dropFirst().first { $0.lowercased().hasPrefix("boundary=") }
        let boundary = (named?.dropFirst(9)).map { Array(String($0).unquoted.utf8) } ?? []
        guard (1...70).contains(boundary.count) else {
            throw APIError.invalidRequest(
                "The form names no boundary of 1 to 70 characters.", parameter: "Content-Type")
        }
        delimiter = Array("\r\n--".utf8) + boundary
        // The first boundary may stand at the very beginning.
        buffer = Array("\r\n".utf8)
    }

    /// - Throws: `APIError` for bytes that are no form.
    mutating func read(_ bytes: some Sequence<UInt8>) throws -> [Event] {
        buffer += bytes
        var events: [Event] = []
        while try step(&events) {}
        return events
    }

    /// - Returns: whether there may be another step.
    private mutating func step(_ events: inout [Event]) throws -> Bool {
        switch state {
        case .end:
            buffer = []
            return false
        case .preamble, .body:
            let place = find(delimiter)
            let content = place ?? max(0, buffer.count - delimiter.count + 1)
            if state == .body, content > 0 { events.append(.bytes(Array(buffer[..<content]))) }
            buffer.removeFirst(content)
            // Behind a boundary stand `--` or a line's end, perhaps after blanks.
            guard place != nil, buffer.count >= delimiter.count + 2 else { return false }
            if buffer[delimiter.count] == 0x2D, buffer[delimiter.count + 1] == 0x2D {
                state = .end
                return true
            }
            guard let line = find([13, 10], from: delimiter.count) else {
                guard buffer.count < delimiter.count + 200 else { throw Self.broken("a boundary has no end") }
                return false
            }
            buffer.removeFirst(line)
            state = .headers
            return true
        case .content:
            guard buffer.count >= delimiter.count else { return false }
            if !buffer.starts(with: delimiter) { buffer.removeFirst(2) }
            state = .body
            return true
        case .headers:
            guard let end = find([13, 10, 13, 10]) else {
                guard buffer.count <= Self.headerLimit else { throw Self.broken("a part's header is too long") }
                return false
            }
            parts += 1
            guard parts <= Self.partLimit else { throw Self.broken("it has more than \(Self.partLimit) parts") }
            guard let text = String(validating: buffer[..<end], as: UTF8.self) else {
                throw Self.broken("a part's header is no UTF-8")
            }
            events.append(try Self.part(text))
            // The last line's end stays: it belongs to the boundary of a part without content.
            buffer.removeFirst(end + 2)
            state = .content
            return true
        }
    }

    private static func part(_ header: String) throws -> Event {
        for line in header.split(separator: "\r\n") where line.lowercased().hasPrefix("content-disposition:") {
            var name: String?
            var fileName: String?
            for field in Self.parameters(line.dropFirst(20)) {
                if field.lowercased().hasPrefix("name=") { name = String(field.dropFirst(5)).unquoted }
                if field.lowercased().hasPrefix("filename=") { fileName = String(field.dropFirst(9)).unquoted }
            }
            guard let name else { break }
            return .part(name: name, fileName: fileName)
        }
        throw broken("a part has no name")
    }

    /// What stands between the semicolons that are not in quotes.
    private static func parameters(_ text: Substring) -> [String] {
        var (fields, current) = ([String](), "")
        var (isQuoted, isEscaped) = (false, false)
        for character in text {
            if isEscaped {
                isEscaped = false
            } else if character == "\\", isQuoted {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ";", !isQuoted {
                fields.append(current.trimmed)
                current = ""
                continue
            }
            current.append(character)
        }
        return fields + [current.trimmed]
    }

    private func find(_ bytes: [UInt8], from start: Int = 0) -> Int? { buffer.place(of: bytes, from: start) }

    static func broken(_ what: String) -> APIError {
        APIError.invalidRequest("The form cannot be read: \(what).")
    }
}

extension [UInt8] {
    /// Where a text stands in this one; the scan looks for its first byte.
    fileprivate func place(of text: [UInt8], from start: Int) -> Int? {
        var place = start
        let last = count - text.count
        while place <= last {
            guard let candidate = self[place...last].firstIndex(of: text[0]) else { return nil }
            if self[candidate..<candidate + text.count].elementsEqual(text) { return candidate }
            place = candidate + 1
        }
        return nil
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: blank).reversed().drop(while: blank).reversed())
    }
}

extension String {
    /// Without the quotes around it and the backslashes in it.
    fileprivate var unquoted: String {
        guard count >= 2, first == "\"", last == "\"" else { return self }
        var (text, isEscaped) = ("", false)
        for character in dropFirst().dropLast() {
            if character == "\\", !isEscaped {
                isEscaped = true
            } else {
                text.append(character)
                isEscaped = false
            }
        }
        return text
    }
}
