internal import CProtobufC

/// Bump allocation for the C structs of one message; everything is freed together.
///
/// The first bytes come from the caller (its stack), so an ordinary message costs no `malloc`. `budget` bounds what
/// a hostile message can make protobuf-c allocate: beyond it an allocation fails and so does the decoding.
struct Arena: ~Copyable {
    private var cursor: UnsafeMutableRawPointer
    private var available: Int
    private var budget: Int
    private var blocks: [UnsafeMutableRawPointer] = []

    /// Bytes that callers reserve on their stack.
    static let stackBytes = 1536
    private static let alignment = 16

    init(_ first: UnsafeMutableRawBufferPointer, budget: Int = .max) {
        // `first` is never empty: it is `stackBytes` long.
        cursor = first.baseAddress ?? UnsafeMutableRawPointer(bitPattern: Self.alignment).unsafelyUnwrapped
        available = first.count
        self.budget = budget
    }

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// `nil` when the budget is spent.
    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let (padded, overflow) = size.addingReportingOverflow(Self.alignment - 1)
        guard !overflow, size >= 0 else { return nil }
        let rounded = padded & ~(Self.alignment - 1)
        guard rounded <= budget else { return nil }
        budget -= rounded
        if rounded > available {
            let block = max(rounded, 4096)
            cursor = UnsafeMutableRawPointer.allocate(byteCount: block, alignment: Self.alignment)
            blocks.append(cursor)
            available = block
        }
        defer {
            cursor += rounded
            available -= rounded
        }
        return cursor
    }

    /// For encoding, whose budget is unlimited.
    private mutating func require(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = allocate(size) else { preconditionFailure("an encoding arena has a budget; give it none") }
        return memory
    }

    /// A C struct, set up by protobuf-c's own `__init`.
    mutating func make<T: CCodable>(_ type: T.Type) -> UnsafeMutablePointer<T.C> {
        let pointer = require(MemoryLayout<T.C>.size).bindMemory(to: T.C.self, capacity: 1)
        T.initialize(pointer)
        return pointer
    }

    mutating func bytes(_ value: [UInt8]) -> ProtobufCBinaryData {
        value.withUnsafeBytes { copy($0) }
    }

    mutating func text(_ value: String) -> ProtobufCBinaryData {
        var value = value
        return value.withUTF8 { copy(UnsafeRawBufferPointer($0)) }
    }

    private mutating func copy(_ source: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
        guard let base = source.baseAddress, !source.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
        let memory = require(source.count)
        memory.copyMemory(from: base, byteCount: source.count)
        return ProtobufCBinaryData(len: source.count, data: memory.assumingMemoryBound(to: UInt8.self))
    }

    mutating func message<T: CCodable>(_ value: T) -> UnsafeMutablePointer<T.C> {
        let pointer = make(T.self)
        value.write(to: &pointer.pointee, in: &self)
        return pointer
    }

    /// `repeated` message fields: protobuf-c wants an array of pointers.
    mutating func messages<T: CCodable>(_ values: [T]) -> UnsafeMutablePointer<UnsafeMutablePointer<T.C>?>? {
        guard !values.isEmpty else { return nil }
        let stride = MemoryLayout<UnsafeMutablePointer<T.C>?>.stride
        let pointers = require(values.count * stride)
            .bindMemory(to: UnsafeMutablePointer<T.C>?.self, capacity: values.count)
        for (index, value) in values.enumerated() { pointers[index] = message(value) }
        return pointers
    }

    /// `repeated` numbers.
    mutating func numbers<Number>(_ values: [Number]) -> UnsafeMutablePointer<Number>? {
        guard !values.isEmpty else { return nil }
        let memory = require(values.count * MemoryLayout<Number>.stride)
            .bindMemory(to: Number.self, capacity: values.count)
        for (index, value) in values.enumerated() { memory[index] = value }
        return memory
    }
}

/// protobuf-c's allocator interface over an `Arena`; frees nothing, the arena does.
func withAllocator<Result>(
    _ arena: inout Arena, _ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws -> Result
) rethrows -> Result {
    try withUnsafeMutablePointer(to: &arena) { pointer in
        var allocator = ProtobufCAllocator(
            alloc: { data, size in data?.assumingMemoryBound(to: Arena.self).pointee.allocate(size) },
            free: { _, _ in },
            allocator_data: UnsafeMutableRawPointer(pointer))
        return try body(&allocator)
    }
}
