internal import CZlib

/// Reads gzip (RFC 1952) as it comes, members one behind the other, through zlib.
package final class Inflater {
    /// What is no gzip, or ends too early.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// The first two bytes of every gzip file.
    package static let magic: [UInt8] = [0x1F, 0x8B]

    private let stream: UnsafeMutablePointer<z_stream>
    /// Whether a member has begun and not ended.
    private var isInside = false
    private var waiting: [UInt8] = []
    /// Whether the last chunk was full: then zlib may hold more of the text without more input.
    private var wasFull = false

    package init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Fails only where memory or the library's version is wrong; the first read says so.
        isUsable = nephele_inflate_init(stream) == Z_OK
    }

    private let isUsable: Bool

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Takes compressed bytes; what they hold comes from `next`.
    package func feed(_ bytes: some Collection<UInt8>) { waiting += bytes }

    /// The next bytes of the text, at most `limit`; empty where more has to be fed first.
    ///
    /// - Throws: `Fault` for what is no gzip, or has another checksum than it says.
    package func next(limit: Int) throws(Fault) -> [UInt8] {
        precondition(limit > 0, "a chunk of \(limit) bytes")
        guard isUsable else { throw Fault(description: "zlib could not be started") }
        while !waiting.isEmpty || wasFull {
            var out = [UInt8](repeating: 0, count: limit)
            let code = step(&out)
            switch code.status {
            case Z_OK: isInside = true
            case Z_BUF_ERROR: break
            case Z_STREAM_END:
                isInside = false
                guard inflateReset(stream) == Z_OK else { throw Fault(description: "zlib could not go on") }
            default: throw Fault(description: "the compressed bytes are broken (zlib's status \(code.status))")
            }
            waiting.removeFirst(code.read)
            wasFull = code.written == limit && code.status == Z_OK
            if code.written > 0 { return Array(out.prefix(code.written)) }
            guard code.read > 0 || code.status == Z_STREAM_END else { break }
        }
        return []
    }

    /// - Throws: `Fault` where the bytes ended inside a member.
    package func finish() throws(Fault) {
        guard !isInside, waiting.isEmpty else { throw Fault(description: "the compressed bytes end too early") }
    }

    private func step(_ out: inout [UInt8]) -> (status: Int32, read: Int, written: Int) {
        let capacity = out.count
        return waiting.withUnsafeMutableBufferPointer { input in
            out.withUnsafeMutableBufferPointer { output in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(clamping: input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(clamping: capacity)
                let offered = stream.pointee.avail_in
                let status = inflate(stream, Z_NO_FLUSH)
                return (
                    status, Int(offered - stream.pointee.avail_in), capacity - Int(stream.pointee.avail_out)
                )
            }
        }
    }
}
