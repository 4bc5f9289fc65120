/// Bytes beside a message (tensors, pictures): aligned to 64, shared without copying, never changed once sent.
package final class Attachment: @unchecked Sendable {  // written only while one receiver assembles it
    package static let alignment = 64

    package let count: Int
    private let memory: UnsafeMutableRawPointer

    /// Memory to be filled by `write`.
    package init(count: Int) {
        precondition(count >= 0, "an attachment of \(count) bytes; sizes are not negative")
        self.count = count
        memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: Self.alignment)
    }

    package convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count)
        write(bytes.span.bytes, at: 0)
    }

    /// `count` bytes, written by `fill` before anybody else sees them.
    package convenience init<E: Error>(
        count: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        self.init(count: count)
        try fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    deinit {
        memory.deallocate()
    }

    /// The bytes of `range`, for the time of `body`.
    package func withSpan<Result, E: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(E) -> Result
    ) throws(E) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) of an attachment of \(count) bytes")
        return try body(UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count).bytes)
    }

    /// For the one receiver that assembles it, before anybody else sees it.
    package func write(_ bytes: RawSpan, at offset: Int) {
        let size = bytes.byteCount
        precondition(offset >= 0 && size <= count - offset, "\(size) bytes at \(offset) of an attachment of \(count)")
        bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            (memory + offset).copyMemory(from: base, byteCount: source.count)
        }
    }

    /// A copy.
    package var array: [UInt8] {
        withUnsafeBytes { [UInt8]($0) }
    }

    package func withUnsafeBytes<Result, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> Result
    ) throws(E) -> Result {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }
}

extension [UInt8] {
    /// The bytes for the time of `body`.
    package func withSpan<Result, E: Error>(_ body: (RawSpan) throws(E) -> Result) throws(E) -> Result {
        try body(span.bytes)
    }

    package init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { [UInt8]($0) }
    }
}
