package import Accounts
package import ContentFilter
package import Foundation

/// What users have said of answers, fit to be learned from.
package struct RatedAnswers: Sendable {
    package enum Method: String, Sendable, Codable, CaseIterable {
        case kto, dpo, sft

        /// What the fine-tuning API calls it.
        var name: String { self == .sft ? "supervised" : rawValue }
    }

    /// An answer, or what should have stood in its place.
    struct Judged: Sendable, Hashable {
        var turns: [Recording.Turn]
        var answer: String
        var isGood: Bool
        /// Whether more would have come: the answer's end is not learned.
        var isCut = false
    }

    /// What was left out, and why.
    package struct Report: Sendable, Codable, Equatable {
        package var rated = 0
        package var optedOut = 0
        package var filtered = 0
        package var empty = 0
        /// Conversations in which tools are called: what tools there were is not recorded.
        package var callingTools = 0
        package var duplicates = 0
        package var contradictory = 0
        package var learned = 0
        package var heldOut = 0
    }

    package private(set) var report = Report()
    private(set) var learned: [Judged] = []
    private(set) var heldOut: [Judged] = []
    /// Corrections and the answers in whose place they stand, of what is learned.
    private var pairs: [(turns: [Recording.Turn], chosen: String, rejected: Judged)] = []

    /// Of so many conversations one is held out: the same in every round.
    private static let heldOutShare: UInt64 = 5

    /// - Parameter filter: texts in which it finds something are not learned.
    package init(_ recordings: [RatedRecording], _ filter: ContentFilter) {
        var seen: [Judged: Int] = [:]
        var all: [Judged] = []
        for recording in recordings where recording.rating != 0 || recording.correction != nil {
            report.rated += 1
            if recording.isOptedOut {
                report.optedOut += 1
                continue
            }
            let correction = recording.correction.flatMap { $0.isEmpty ? nil : $0 }
            guard !recording.callsTools, recording.turns.allSatisfy({ $0.tool_calls == nil && $0.tool_call_id == nil })
            else {
                report.callingTools += 1
                continue
            }
            let answers = [recording.answer] + [correction].compactMap { $0 }
            guard !recording.answer.isEmpty, !recording.turns.isEmpty else {
                report.empty += 1
                continue
            }
            guard !recording.turns.contains(where: { filter.objects(to: $0.content, .in) }),
                !answers.contains(where: { filter.objects(to: $0, .out) })
            else {
                report.filtered += 1
                continue
            }
            var judged = [
                Judged(
                    turns: recording.turns, answer: recording.answer, isGood: correction == nil && recording.rating > 0,
                    isCut: recording.isCut)
            ]
            if let correction { judged.append(Judged(turns: recording.turns, answer: correction, isGood: true)) }
            let isNew = judged.filter { seen[$0] == nil }
            if isNew.isEmpty { report.duplicates += 1 }
            for one in isNew {
                seen[one] = all.count
                all.append(one)
            }
            if let correction, !isNew.isEmpty, !Self.isHeldOut(recording.turns) {
                pairs.append((recording.turns, correction, judged[0]))
            }
        }
        for one in all {
            var other = one
            other.isGood.toggle()
            if seen[other] != nil {
                report.contradictory += 1
            } else if Self.isHeldOut(one.turns) {
                heldOut.append(one)
            } else {
                learned.append(one)
            }
        }
        (report.learned, report.heldOut) = (learned.count, heldOut.count)
    }

    /// By the conversation alone (FNV-1a, 64 bits): what is held out once never teaches.
    private static func isHeldOut(_ turns: [Recording.Turn]) -> Bool {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in turns.flatMap({ Array("\($0.role)\u{0}\($0.content)\u{0}".utf8) }) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return (hash >> 32) % heldOutShare == 0
    }

    /// What there is to learn by a method.
    package func count(_ method: Method) -> Int {
        switch method {
        case .kto: learned.count
        case .sft: learned.count { $0.isGood }
        case .dpo: pairs.count
        }
    }

    private struct Line: Encodable {
        var messages: [Recording.Turn]?
        var prompt: [Recording.Turn]?
        var completion: [Recording.Turn]?
        var label: Bool?
        var chosen: [Recording.Turn]?
        var rejected: [Recording.Turn]?
    }

    /// JSON Lines for a job.
    package func lines(_ method: Method) throws -> Data {
        func said(_ text: String, isCut: Bool = false) -> [Recording.Turn] {
            [.init(role: "assistant", content: text, isCut: isCut)]
        }
        func said(_ one: Judged) -> [Recording.Turn] { said(one.answer, isCut: one.isCut) }
        let lines: [Line] =
            switch method {
            case .kto: learned.map { Line(prompt: $0.turns, completion: said($0), label: $0.isGood) }
            case .sft: learned.filter(\.isGood).map { Line(messages: $0.turns + said($0)) }
            case .dpo: pairs.map { Line(prompt: $0.turns, chosen: said($0.chosen), rejected: said($0.rejected)) }
            }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + [10] }
    }
}

extension ContentFilter {
    /// Whether a rule of the policy takes effect on a text.
    func objects(to text: String, _ direction: FilterPolicy.Direction) -> Bool {
        check(text, direction).verdict.hitCount > 0
    }
}
