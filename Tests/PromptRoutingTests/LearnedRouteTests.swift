import PromptRouting
import Testing

struct LearnedRouteTests {
    private func decide(_ table: RoutingTable, _ model: String, user: String, kind: RoutingRequest.Kind = .chat)
        -> [String]
    {
        table.decide(RoutingRequest(kind: kind, model: model, text: "hi", user: user)).targets.map(\.description)
    }

    @Test("A canary has its share of users, who keep their side; the model itself answers where an adapter is missing")
    func canary() throws {
        let learned = LearnedRoute(model: "m", current: "m", candidate: "ft:m:1", share: 0.05)
        let table = try RoutingTable.standard().adding([learned])
        let sides = (0..<4_000).map { decide(table, "m", user: "user \($0)") }
        #expect(sides == (0..<4_000).map { decide(table, "m", user: "user \($0)") })
        #expect(sides.allSatisfy { $0 == ["m", "m"] || $0 == ["ft:m:1", "m"] })
        let share = Double(sides.count { $0[0] == "ft:m:1" }) / 4_000
        #expect(abs(share - 0.05) < 0.015, "\(share)")
        // Other models, and vectors of this one, which cannot be compared with an adapter's, stay as they are.
        #expect(decide(table, "other", user: "a") == ["other"])
        #expect(decide(table, "m", user: "a", kind: .embedding) == ["m"])
        let promoted = try RoutingTable.standard().adding([LearnedRoute(model: "m", current: "ft:m:1")])
        #expect(decide(promoted, "m", user: "a") == ["ft:m:1", "m"])
    }

    @Test("The operator's own routes go first")
    func order() throws {
        let own = try RoutingTable("routes: [{name: own, when: {model: m}, to: mine}]", file: "routes.yaml")
        #expect(decide(own.adding([LearnedRoute(model: "m", current: "ft:m:1")]), "m", user: "a") == ["mine"])
    }
}
