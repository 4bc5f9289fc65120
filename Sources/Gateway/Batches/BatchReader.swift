import JSON

/// Looks at the lines of a batch's file before any of them is answered.
struct BatchReader: Sendable {
    /// Bytes of a line, at most.
    static let sizeLimit = 4 << 20
    /// Problems that are told, at most.
    static let problemLimit = 100

    private let endpoint: String
    private(set) var problems: [BatchObject.Problem] = []
    private(set) var count = 0
    private var ids: Set<String> = []

    init(endpoint: String) { self.endpoint = endpoint }

    mutating func check(_ bytes: [UInt8], _ number: Int) {
        guard !Self.isBlank(bytes) else { return }
        count += 1
        if count == BatchStore.lineLimit + 1 {
            return add("too_many_lines", number, "a batch has \(BatchStore.lineLimit) lines at most")
        }
        guard bytes.count <= Self.sizeLimit else {
            return add("line_too_long", number, "a line has \(Self.sizeLimit) bytes at most")
        }
        let value: JSONValue
        do { value = try JSONParser.parse(bytes) } catch {
            return add("invalid_json_line", number, "the line is no JSON")
        }
        guard case .object = value else { return add("invalid_json_line", number, "the line is no JSON object") }
        guard let id = value["custom_id"]?.text, (1...512).contains(id.utf8.count) else {
            return add("missing_custom_id", number, "'custom_id' is a text of 1 to 512 bytes", "custom_id")
        }
        guard ids.insert(id).inserted else {
            return add("duplicate_custom_id", number, "an earlier line has the same 'custom_id'", "custom_id")
        }
        guard value["method"]?.text == "POST" else {
            return add("invalid_method", number, "'method' is POST", "method")
        }
        guard value["url"]?.text == endpoint else {
            return add("mismatched_url", number, "'url' is the batch's endpoint, \(endpoint)", "url")
        }
        guard case .object? = value["body"] else {
            return add("missing_body", number, "'body' is a JSON object", "body")
        }
        for field in ["stream", "background"] where value["body"]?[field]?.isTrue == true {
            return add("unsupported_field", number, "a line of a batch is not '\(field)'", "body.\(field)")
        }
    }

    mutating func end() {
        if count == 0 { problems.append(.init(code: "empty_file", line: nil, message: "The file has no line.")) }
    }

    private mutating func add(_ code: String, _ line: Int, _ message: String, _ field: String? = nil) {
        guard problems.count < Self.problemLimit else { return }
        problems.append(.init(code: code, line: line, message: "Line \(line): \(message).", param: field))
    }

    /// A line that was found to be right; nil for a blank one.
    static func line(_ bytes: [UInt8]) -> BatchLine? {
        guard !isBlank(bytes), let value = try? JSONParser.parse(bytes) else { return nil }
        return BatchLine(customID: value["custom_id"]?.text ?? "", request: value["body"] ?? .null)
    }

    private static func isBlank(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 == 32 || $0 == 9 || $0 == 13 } }
}
