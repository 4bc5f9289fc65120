import Testing

@testable import Tensors

@Suite struct StorageTests {
    /// Larger than the heap's share, and of a size that no other test has.
    private static let floats = (11 << 20) / 4

    private func fill() throws {
        let used = try Tensor(uninitialized: [Self.floats])
        for i in stride(from: 0, to: used.count, by: 1_024) { used[i] = 7 }
    }

    @Test func `zeroed memory is zeroed although memory of its size was used before`() throws {
        for _ in 0..<3 {
            try fill()
            let zeros = try Tensor(zeros: [Self.floats])
            #expect(stride(from: 0, to: zeros.count, by: 1_024).allSatisfy { zeros[$0] == 0 })
        }
    }

    @Test(arguments: [1, 63, 64, 4_096, 1 << 20, (1 << 20) + 1, 5 << 20]) func `memory is aligned and all there`(
        bytes: Int
    ) throws {
        for zeroed in [true, false] {
            let storage = try Storage(byteCount: bytes, zeroed: zeroed)
            #expect(Int(bitPattern: storage.bytes) % 64 == 0)
            storage.bytes.storeBytes(of: 1, toByteOffset: bytes - 1, as: UInt8.self)
            #expect(storage.byteCount == bytes)
        }
    }

    @Test func `what cannot be had is refused`() {
        let error = #expect(throws: TensorError.self) { try Storage(byteCount: 1 << 60) }
        #expect(error?.code == .tooLarge)
    }
}
