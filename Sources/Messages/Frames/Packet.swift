/// Frames that travel together, back to back: each `[header bytes][body bytes][header][body]`, the two counts as 32-bit
/// little-endian numbers.
package enum Packet {
    private static let countBytes = MemoryLayout<UInt32>.size
    package static let prefixBytes = 2 * countBytes

    package static func append(_ header: [UInt8], _ body: RawSpan, to packet: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: header.count).littleEndian) { packet.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: body.byteCount).littleEndian) { packet.append(contentsOf: $0) }
        packet.append(contentsOf: header)
        body.withUnsafeBytes { packet.append(contentsOf: $0) }
    }

    /// Hands each frame to `body`; one with an empty header, which no frame has, where the packet is malformed.
    package static func forEachFrame(in packet: RawSpan, _ body: (_ header: RawSpan, _ body: RawSpan) throws -> Void)
        rethrows
    {
        try packet.withUnsafeBytes { packet in
            var start = 0
            repeat {
                let left = packet.count - start - prefixBytes
                let header = left < 0 ? 0 : count(in: packet, at: start)
                let size = left < 0 ? 0 : count(in: packet, at: start + countBytes)
                guard header > 0, header <= left, size <= left - header else {
                    try body(RawSpan(), RawSpan())
                    return
                }
                let head = start + prefixBytes
                start = head + header + size
                try body(
                    UnsafeRawBufferPointer(rebasing: packet[head..<head + header]).bytes,
                    UnsafeRawBufferPointer(rebasing: packet[head + header..<start]).bytes)
            } while start < packet.count
        }
    }

    private static func count(in packet: UnsafeRawBufferPointer, at offset: Int) -> Int {
        Int(UInt32(littleEndian: packet.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
}
