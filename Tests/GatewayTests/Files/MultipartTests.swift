import Testing

@testable import Gateway

@Suite struct MultipartTests {
    private let contentType = #"multipart/form-data; boundary="x-y""#

    private func read(_ body: String, by size: Int) throws -> (events: [String], isComplete: Bool) {
        var reader = try MultipartReader(contentType: contentType)
        var events: [String] = []
        var bytes: [UInt8] = []
        func end() {
            if !bytes.isEmpty { events.append("<" + String(decoding: bytes, as: UTF8.self) + ">") }
            bytes = []
        }
        let body = Array(body.utf8)
        for start in stride(from: 0, to: body.count, by: size) {
            for event in try reader.read(body[start..<min(start + size, body.count)]) {
                switch event {
                case .part(let name, let fileName):
                    end()
                    events.append(name + (fileName.map { "=\($0)" } ?? ""))
                case .bytes(let more): bytes += more
                }
            }
        }
        end()
        return (events, reader.isComplete)
    }

    @Test func `a form is the same however it is cut`() throws {
        let body =
            "preamble\r\n--x-y\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x-y  \r\n"
            + "content-disposition: form-data; filename=\"a;\\\"b.jsonl\"; name=file\r\nContent-Type: text/plain\r\n\r\n"
            + "{\"a\":1}\r\n--x-not\r\n{}\n\r\n--x-y\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--x-y--\r\nrest"
        for size in [1, 2, 3, 7, 50, 10_000] {
            let (events, isComplete) = try read(body, by: size)
            #expect(
                events == ["purpose", "<batch>", "file=a;\"b.jsonl", "<{\"a\":1}\r\n--x-not\r\n{}\n>", "empty"],
                "by \(size)")
            #expect(isComplete)
        }
        #expect(try !read(String(body.dropLast(12)), by: 9).isComplete)
    }

    @Test func `what is no form is refused`() throws {
        for type in [nil, "application/json", "multipart/form-data", "multipart/form-data; boundary="] {
            #expect(throws: APIError.self) { try MultipartReader(contentType: type) }
        }
        let long = "--x-y\r\nContent-Disposition: " + String(repeating: "a", count: 10_000)
        #expect(throws: APIError.self) { try read(long, by: 100) }
        #expect(throws: APIError.self) { try read("--x-y\r\nContent-Type: text/plain\r\n\r\nx\r\n--x-y--", by: 100) }
        let many = String(repeating: "--x-y\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n", count: 40)
        #expect(throws: APIError.self) { try read(many, by: 100) }
    }
}
