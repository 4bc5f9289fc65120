import Messages
import Testing

@Suite struct HeaderTemplateTests {
    private static var start: CallStart {
        var start = CallStart(method: "nephele.v1.Echo/Echo", creditMessages: 256, creditBytes: 1 << 20)
        start.instanceID = "instance"
        return start
    }

    @Test(arguments: [0, 1, 127, 128, 1 << 40, .max] as [UInt64])
    func `a header made from a template says what one encoded whole says`(call: UInt64) throws {
        let template = HeaderTemplate(.call(Self.start))
        #expect(try FrameHeader(decoding: template.header(call: call)) == FrameHeader(call: call, .call(Self.start)))
        for microseconds in [0, 1, 127, 128, 3_155_760_000_000_000] as [Int64] {
            var timed = Self.start
            timed.timeout = .microseconds(microseconds)
            let header = template.header(call: call, timeout: timed.timeout)
            #expect(try FrameHeader(decoding: header) == FrameHeader(call: call, .call(timed)))
        }
    }
}
