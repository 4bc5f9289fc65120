internal import CProtobufC

/// A Swift value that has a protobuf message on the wire.
///
/// To add one: declare the message in `protos/nephele/v1` and run `protos/generate`, which writes its Swift type. A new
/// field is added the same way.
package protocol BusMessage: Sendable, Equatable {
    static var codec: MessageCodec<Self> { get }
}

extension BusMessage {
    /// - Throws: `MessageError` when the bytes are not this message.
    package init(decoding bytes: RawSpan) throws {
        self = try bytes.withUnsafeBytes { try Self.codec.decode($0) }
    }

    /// - Throws: `MessageError` when the bytes are not this message.
    package init(decoding bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try Self.codec.decode($0) }
    }

    package func encoded() -> [UInt8] { Self.codec.encode(self) }
}

/// Turns a value into bytes and back through protobuf-c.
package struct MessageCodec<Value>: Sendable {
    /// Fully qualified, e.g. `nephele.v1.EchoRequest`.
    package let name: String
    let decode: @Sendable (UnsafeRawBufferPointer) throws -> Value
    let encode: @Sendable (Value) -> [UInt8]

    init(_ type: Value.Type) where Value: CCodable {
        // `base` is the first member of every generated struct; its descriptor is the one static instance.
        let descriptor = withArena { arena in
            withBase(arena.make(Value.self)) { $0.pointee.descriptor }
        }
        guard let descriptor else { preconditionFailure("\(Value.self) has no descriptor; regenerate protos") }
        let table = Descriptor(pointer: descriptor)
        name = String(cString: descriptor.pointee.name)
        decode = { bytes in
            // What a message may cost in memory for each byte on the wire; the widest struct is far below.
            try withArena(budget: 64 * 1024 + 64 * bytes.count) { arena in
                let message = withAllocator(&arena) { allocator in
                    protobuf_c_message_unpack(
                        table.pointer, allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
                }
                guard let message else {
                    throw MessageError(
                        message: "\(bytes.count) bytes are not a \(String(cString: table.pointer.pointee.name)): "
                            + "the sender is broken or of another version")
                }
                return try Value(reading: UnsafeRawPointer(message).assumingMemoryBound(to: Value.C.self).pointee)
            }
        }
        encode = { value in
            withArena { arena in
                withBase(arena.message(value)) { base in
                    let size = protobuf_c_message_get_packed_size(base)
                    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                        count = size == 0 ? 0 : protobuf_c_message_pack(base, buffer.baseAddress)
                    }
                }
            }
        }
    }
}

/// The bytes are not the message that they should be.
package struct MessageError: Error, Equatable, CustomStringConvertible {
    package var message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}

/// The bridge between a value and its generated C struct.
protocol CCodable: SendableMetatype {
    associatedtype C
    /// protobuf-c's `__init` (its `__INIT` macros are not seen by Swift).
    static func initialize(_ c: UnsafeMutablePointer<C>)
    /// - Throws: `MessageError` when a value cannot be taken.
    init(reading c: C) throws
    func write(to c: inout C, in arena: inout Arena)
    /// Checks a value that was read, and corrects what may be corrected.
    /// - Throws: `MessageError` when it cannot be taken.
    mutating func validate() throws
}

extension CCodable {
    mutating func validate() throws {}
}

/// The pointer of a generated `const` descriptor.
private struct Descriptor: @unchecked Sendable {  // immutable static data of the C library
    let pointer: UnsafePointer<ProtobufCMessageDescriptor>
}

private func withArena<Result>(budget: Int = .max, _ body: (inout Arena) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: Arena.stackBytes, alignment: 16) { buffer in
        var arena = Arena(buffer, budget: budget)
        return try body(&arena)
    }
}

private func withBase<C, Result>(
    _ pointer: UnsafeMutablePointer<C>, _ body: (UnsafePointer<ProtobufCMessage>) throws -> Result
) rethrows -> Result {
    try body(UnsafeRawPointer(pointer).assumingMemoryBound(to: ProtobufCMessage.self))
}
