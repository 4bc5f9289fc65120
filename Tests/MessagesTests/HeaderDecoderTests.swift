import Messages
import Testing

@Suite struct HeaderDecoderTests {
    private static var start: CallStart {
        var start = CallStart(method: "nephele.v1.Echo/Echo", creditMessages: 256, creditBytes: 1 << 20)
        start.instanceID = "instance"
        return start
    }

    private static var good: CallEnd {
        var end = CallEnd(code: 0)
        end.hasMessage = true
        return end
    }

    private static let contents: [FrameHeader.Content] = [
        .call(start), .message(attachmentSizes: []), .end(CallEnd(code: 0)), .end(good),
    ]

    private static let numbers: [UInt64] = [0, 1, 127, 128, 1 << 40, 1 << 63, .max]

    private func decode(_ bytes: [UInt8], _ decoder: inout HeaderDecoder) throws -> FrameHeader {
        try bytes.withUnsafeBytes { try decoder.decode($0.bytes) }
    }

    @Test func `what a template wrote is read the same the first time and every other`() throws {
        var decoder = HeaderDecoder()
        for _ in 0..<3 {
            for (index, content) in Self.contents.enumerated() {
                let template = HeaderTemplate(content)
                for call in Self.numbers {
                    for sequence in [0, 1, 300, .max] as [UInt32] {
                        let header = template.header(call: call, sequence: sequence)
                        #expect(
                            try decode(header, &decoder) == FrameHeader(call: call, sequence: sequence, content),
                            "content \(index)")
                    }
                }
            }
            var timed = Self.start
            for microseconds in [0, 1, 128, 3_155_760_000_000_000] as [Int64] {
                timed.timeout = .microseconds(microseconds)
                let header = HeaderTemplate(.call(Self.start)).header(call: 9, timeout: timed.timeout)
                #expect(try decode(header, &decoder) == FrameHeader(call: 9, .call(timed)))
            }
        }
    }

    @Test func `encoding through templates says what encoding says`() throws {
        var bad = CallEnd(code: 14)
        bad.message = "gone"
        for content in Self.contents + [.end(bad), .message(attachmentSizes: [3]), .cancel(reason: "x")] {
            let header = FrameHeader(call: 300, sequence: 7, content)
            #expect(try FrameHeader(decoding: header.encodedFromTemplate()) == header)
        }
    }

    @Test func `a decoder that knows stems judges every mutation as a fresh one does`() throws {
        var generator = SystemRandomNumberGenerator()
        var decoder = HeaderDecoder()
        for content in Self.contents { _ = try decode(HeaderTemplate(content).header(call: 1), &decoder) }
        for content in Self.contents {
            let whole = HeaderTemplate(content).header(call: 1 << 33, sequence: 5, timeout: .seconds(1))
            for count in whole.indices {
                let cut = Array(whole.prefix(count))
                #expect((try? decode(cut, &decoder)) == (try? FrameHeader(decoding: cut)), "\(cut)")
            }
            for _ in 0..<5000 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                if Bool.random(using: &generator) { bytes += bytes.suffix(3) }
                var learned = decoder
                #expect((try? decode(bytes, &learned)) == (try? FrameHeader(decoding: bytes)), "\(bytes)")
            }
        }
    }
}
