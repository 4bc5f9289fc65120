import Testing

@testable import Grammars

@Suite struct NumberAutomatonTests {
    private func decimal(_ text: String) throws -> Decimal { try #require(Decimal(text: Array(text.utf8))) }

    private func accepted(_ text: String, _ automaton: NumberAutomaton) -> UInt64 {
        var state: Int32 = automaton.isEmpty ? -1 : 0
        for byte in text.utf8 where state >= 0 { state = automaton.next(state, byte) }
        return state < 0 ? 0 : automaton.accepted[Int(state)]
    }

    /// Numbers in many spellings, near bounds and far from them.
    private func texts() -> [String] {
        var random = SplitMix(state: 7)
        var texts = [
            "0", "-0", "0.0", "-0.0", "1", "-1", "10", "100", "0.1", "0.05", "1e5", "1E-5", "9.99e2", "1e0", "0e0",
        ]
        for _ in 0..<4_000 {
            var text = Bool.random(using: &random) ? "-" : ""
            let whole = Int.random(in: 0..<1_300, using: &random) >> Int.random(in: 0..<11, using: &random)
            text += "\(whole)"
            if Bool.random(using: &random) {
                text += "."
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    text += "\([0, 0, 5, Int.random(in: 0...9, using: &random)].randomElement(using: &random) ?? 0)"
                }
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                text += "e" + (["", "-", "+"].randomElement(using: &random) ?? "")
                text += "\(Int.random(in: 0..<5, using: &random))"
            }
            texts.append(text)
        }
        return texts
    }

    @Test func `what is accepted satisfies the predicate, and what satisfies it is accepted as printers write it`()
        throws
    {
        let bounds = ["0", "1", "-1", "17", "0.5", "-2.25", "1000", "0.05", "123.4"]
        var predicates: [NumberPredicate] = [
            .any, .integer, .not(.integer), .multiple(try decimal("0.5")), .multiple(try decimal("3")),
        ]
        for text in bounds {
            let bound = try decimal(text)
            predicates += [
                .below(bound, orEqual: true), .below(bound, orEqual: false), .not(.below(bound, orEqual: true)),
                .equals(bound), .not(.equals(bound)), .and([.integer, .below(bound, orEqual: true)]),
                .and([.not(.integer), .below(bound, orEqual: false)]),
            ]
        }
        predicates.append(
            .and([.not(.below(try decimal("3"), orEqual: false)), .below(try decimal("17"), orEqual: true)]))
        predicates.append(.and([.multiple(try decimal("0.01")), .not(.below(try decimal("0.5"), orEqual: true))]))
        let texts = texts()
        for predicate in predicates {
            let automaton = try NumberAutomaton([predicate])
            for text in texts {
                let value = try decimal(text), isAccepted = accepted(text, automaton) != 0
                let holds = predicate.holds(of: value)
                #expect(!isAccepted || holds, "\(text) and \(predicate)")
                if holds, !text.lowercased().contains("e"), !text.contains(".") || !predicate.isWhole {
                    #expect(isAccepted, "\(text) and \(predicate)")
                }
            }
        }
    }

    @Test func `several predicates are told apart`() throws {
        let automaton = try NumberAutomaton([
            .integer, .below(try decimal("5"), orEqual: true), .equals(try decimal("2.5")),
        ])
        #expect(accepted("7", automaton) == 0b001 && accepted("3", automaton) == 0b011)
        #expect(
            accepted("2.5", automaton) == 0b110 && accepted("5.5", automaton) == 0
                && accepted("2.5e0", automaton) == 0b110)
    }

    @Test func `decimals compare by value`() throws {
        let order = [
            "-1e3", "-12.5", "-12.05", "-1", "-0.1", "0", "1e-9", "0.09", "0.1", "1", "9.99", "12", "12.5", "1e3",
        ]
        for (index, low) in order.enumerated() {
            for high in order[(index + 1)...] {
                #expect(try decimal(low) < decimal(high) && !(decimal(high) < decimal(low)), "\(low) \(high)")
            }
        }
        #expect(try decimal("1.50e1") == decimal("15.0") && decimal("-0") == decimal("0.00"))
    }
}
