import Testing

@testable import RPC

@Suite struct BalancerTests {
    @Test func `of two the less loaded one is always chosen; of many a busy one only against a busier one`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            #expect(Balancer.choose([4, 9], { $0 == 4 ? 1 : 0 }, using: &random) == 9)
            #expect(Balancer.choose([0, 1, 2], { Double($0) }, using: &random) != 2)
        }
        #expect(Balancer.choose([], { _ in 0 }, using: &random) == nil)
        #expect(Balancer.choose([3], { _ in 9 }, using: &random) == 3)
    }

    @Test func `a key keeps its instance when another one leaves, and leaves an overloaded one`() throws {
        let ids = (0..<5).map { "instance-\($0)" }
        for key in UInt8(0)..<50 {
            let all = try #require(Balancer.choose([0, 1, 2, 3, 4], affinity: [key], id: { ids[$0] }, { _ in 0 }))
            let gone = (all + 1) % 5
            let rest = (0..<5).filter { $0 != gone }
            #expect(Balancer.choose(rest, affinity: [key], id: { ids[$0] }, { _ in 0 }) == all)
            let other = Balancer.choose([0, 1, 2, 3, 4], affinity: [key], id: { ids[$0] }, { $0 == all ? 100 : 1 })
            #expect(other != all)
        }
    }
}
