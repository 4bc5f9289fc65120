import ServiceRuntime
import Testing
import TextModelOptions

@testable import nephele

@Suite struct MemoryPlanTests {
    private func plan(
        available: Int?, _ options: [String] = [], parts: Int = 1, replicas: @escaping (Int) -> Int = { _ in 1 }
    ) throws -> MemoryPlan {
        var plan = MemoryPlan(available: available)
        let model = try ModelCatalogue(models: nil).entry("nephele-verse", .text)
        try plan.add(model, draft: nil, try TextModelOptions.parse(options), parts: parts, replicas: replicas)
        return plan
    }

    @Test func `what does not fit is refused with numbers, and with what helps`() throws {
        let plan = try plan(available: 100 << 20)
        #expect(plan.total > 200 << 20)
        let error = #expect(throws: CommandError.self) { try plan.check(unloads: false) }
        let said = "\(try #require(error))"
        #expect(said.contains("100.0 MiB are available") && said.contains("--cache-positions (each takes"))
        #expect(said.contains("--overcommit"))
        #expect(plan.lines.count == 2 && plan.lines[0].hasPrefix("nephele-verse: weights "))
        #expect(try !self.plan(available: 64 << 30).check(unloads: false))
        #expect(try !self.plan(available: nil).check(unloads: true))
        // One that does not fit alone does not fit in turn either.
        #expect(throws: CommandError.self) { try plan.check(unloads: true) }
    }

    @Test func `models that are unloaded need not fit together, if the largest fits`() throws {
        var plan = try plan(available: nil)
        let one = plan.total
        func both(_ available: Int) throws -> MemoryPlan {
            var plan = try self.plan(available: available)
            let model = try ModelCatalogue(models: nil).entry("nephele-verse", .text)
            let options = try TextModelOptions.parse(["--cache-positions", "32768"])
            try plan.add(model, draft: nil, options, parts: 1) { _ in 1 }
            return plan
        }
        plan = try both(one)
        let large = try #require(plan.entries.map(\.total).max())
        let needed = one - plan.entries[0].total + large
        #expect(throws: CommandError.self) { try both(needed).check(unloads: false) }
        #expect(try both(needed).check(unloads: true))
        #expect(try both(needed).turnsLine.contains("loaded in turn"))
        let error = #expect(throws: CommandError.self) { try both(needed - 1).check(unloads: true) }
        #expect("\(try #require(error))".contains("the largest"))
        #expect(try !both(plan.total).check(unloads: true))
    }

    @Test func `trainers count, beside whatever is served`() throws {
        var plan = try plan(available: nil)
        let (before, model) = (plan.total, try ModelCatalogue(models: nil).entry("nephele-verse", .text))
        try plan.add(trainers: 2, of: [model])
        let training = try #require(plan.training)
        // A trainer has weights of its own, and what the way back needs: more than serving takes.
        #expect(training.weights >= 2 * plan.entries[0].weights && training.working > plan.entries[0].working)
        #expect(plan.total == before + training.total && plan.lines.count == 3)
        #expect(plan.lines[1].hasPrefix("training: weights "))
        // They are not unloaded in turn.
        var tight = MemoryPlan(available: before)
        try tight.add(model, draft: nil, try TextModelOptions.parse([]), parts: 1) { _ in 1 }
        try tight.add(trainers: 2, of: [model])
        #expect(throws: CommandError.self) { try tight.check(unloads: true) }
    }

    @Test func `positions, replicas and shards count`() throws {
        let one = try plan(available: nil).entries[0]
        let long = try plan(available: nil, ["--cache-positions", "32768"]).entries[0]
        #expect(long.cache == 2 * one.cache && long.perPosition == one.perPosition && long.weights == one.weights)
        let three = try plan(available: nil, replicas: { _ in 3 }).entries[0]
        // Processes map one copy of the weights, and one has its own while it packs them.
        #expect(three.weights == 2 * one.weights && three.cache == 3 * one.cache)
        let apart = try plan(available: nil, ["--cache-dir", "none"], replicas: { _ in 3 }).entries[0]
        #expect(apart.weights == 3 * one.weights)
        let cut = try plan(available: nil, parts: 2, replicas: { $0 == 0 ? 1 : 2 }).entries[0]
        #expect(abs(cut.cache - one.cache * 3 / 2) <= 2 && cut.working == 3 * one.working)
    }
}
