import Testing

@testable import RPC

@Suite struct FIFOTests {
    @Test func `elements leave in the order they came, through any mix of operations`() {
        var fifo = FIFO<Int>()
        var reference: [Int] = []
        var random = SystemRandomNumberGenerator()
        for number in 0..<10_000 {
            if Int.random(in: 0..<5, using: &random) < 3 {
                fifo.append(number)
                reference.append(number)
            } else {
                #expect(fifo.popFirst() == (reference.isEmpty ? nil : reference.removeFirst()))
            }
            if number % 1000 == 999 {
                fifo.removeAll { $0 % 3 == 0 }
                reference.removeAll { $0 % 3 == 0 }
            }
            #expect(fifo.count == reference.count)
            #expect(fifo.first == reference.first)
        }
    }
}
