import Messages
import Testing

@Suite struct PacketTests {
    private static func frames(in packet: [UInt8]) -> [[[UInt8]]] {
        var frames: [[[UInt8]]] = []
        packet.withSpan { packet in
            Packet.forEachFrame(in: packet) { frames.append([[UInt8](copying: $0), [UInt8](copying: $1)]) }
        }
        return frames
    }

    @Test func `frames come out of a packet as they went in`() {
        let sent: [[[UInt8]]] = [[[1], []], [[2, 3], [4, 5, 6]], [[7], [UInt8](repeating: 8, count: 100_000)]]
        var packet: [UInt8] = []
        for frame in sent { frame[1].withSpan { Packet.append(frame[0], $0, to: &packet) } }
        #expect(Self.frames(in: packet) == sent)
    }

    @Test func `a packet cut anywhere gives its whole frames and then a frame without header`() {
        var packet: [UInt8] = []
        for frame in [1, 2, 3] as [UInt8] { [frame, frame].withSpan { Packet.append([frame], $0, to: &packet) } }
        let size = packet.count / 3
        for count in 0..<packet.count where count == 0 || count % size != 0 {
            let frames = Self.frames(in: Array(packet.prefix(count)))
            #expect(frames.count == count / size + 1 && frames.last == [[], []])
        }
    }

    @Test func `counts that no packet has are refused`() {
        #expect(Self.frames(in: [UInt8](repeating: 0xff, count: 64)) == [[[], []]])
        #expect(Self.frames(in: [1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 9]) == [[[], []]])
    }
}
