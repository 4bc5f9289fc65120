package import DataPreparation

/// How long the runs of words are that generated texts have in common with a training set, which is read once and not kept.
///
/// A suffix automaton of all texts (Blumer et al., 1985) walks along the training set: at each place it knows the longest run
/// that ends there and stands in a text. Time grows with both lengths, memory with the texts'.
package struct CopiedRuns {
    private struct State {
        var length: Int
        var link: Int
        var next: [Int: Int] = [:]
        /// The longest run of the training set that ended here.
        var matched = 0
    }

    private var states = [State(length: 0, link: -1)]
    private let texts: [[Int]]
    private var numbers: [String: Int] = [:]
    /// Words of the training set so far.
    package private(set) var wordsRead = 0

    /// Words of the texts together, at most.
    private static let limit = 4_000_000

    /// - Parameter units: the words of each text.
    /// - Throws: `EvaluationError` where there are too many.
    package init(_ units: [TextUnits]) throws(EvaluationError) {
        guard units.reduce(0, { $0 + $1.count }) <= Self.limit else {
            throw EvaluationError(.invalidData, "the generated texts have more than \(Self.limit) words; make fewer")
        }
        var numbers: [String: Int] = [:]
        texts = units.map { Self.numbered($0, &numbers) }
        self.numbers = numbers
        for text in texts {
            var last = 0
            for number in text { last = extend(last, number) }
        }
    }

    /// Texts as numbers, each word always the same.
    package static func numbered(_ units: TextUnits, _ numbers: inout [String: Int]) -> [Int] {
        (0..<units.count).map { place in
            let word = units.text(place)
            if let known = numbers[word] { return known }
            numbers[word] = numbers.count
            return numbers.count - 1
        }
    }

    private mutating func extend(_ last: Int, _ number: Int) -> Int {
        if let there = states[last].next[number] {
            if states[there].length == states[last].length + 1 { return there }
            return split(there, after: last, by: number)
        }
        let new = states.count
        states.append(State(length: states[last].length + 1, link: 0))
        var place = last
        while place >= 0, states[place].next[number] == nil {
            states[place].next[number] = new
            place = states[place].link
        }
        guard place >= 0, let there = states[place].next[number] else { return new }
        states[new].link =
            states[there].length == states[place].length + 1 ? there : split(there, after: place, by: number)
        return new
    }

    private mutating func split(_ there: Int, after place: Int, by number: Int) -> Int {
        let copy = states.count
        var state = states[there]
        state.length = states[place].length + 1
        states.append(state)
        states[there].link = copy
        var place = place
        while place >= 0, states[place].next[number] == there {
            states[place].next[number] = copy
            place = states[place].link
        }
        return copy
    }

    /// Walks along a document of the training set.
    package mutating func read(_ units: TextUnits) {
        wordsRead += units.count
        var state = 0, length = 0
        for place in 0..<units.count {
            guard let number = numbers[units.text(place)] else {
                (state, length) = (0, 0)
                continue
            }
            while state > 0, states[state].next[number] == nil {
                state = states[state].link
                length = states[state].length
            }
            if let next = states[state].next[number] {
                (state, length) = (next, length + 1)
                states[state].matched = max(states[state].matched, length)
            }
        }
    }

    /// Of each text, for every word the longest run of the training set that ends there.
    package var runs: [[Int]] {
        // What ended in a state ended in all that it is a longer form of.
        var matched = states.map(\.matched)
        for index in states.indices.sorted(by: { states[$0].length > states[$1].length }) where states[index].link > 0 {
            let link = states[index].link
            if matched[index] > 0 { matched[link] = max(matched[link], states[link].length) }
        }
        return texts.map { text in
            var state = 0
            return text.map { number in
                state = states[state].next[number] ?? 0
                var place = state
                while place > 0, matched[place] == 0 { place = states[place].link }
                return place > 0 ? matched[place] : 0
            }
        }
    }

    /// The share of a text's runs of `n` words that do not stand in the training set; nil of a text that is too short.
    package static func novelty(_ runs: [Int], _ n: Int) -> Double? {
        guard runs.count >= n else { return nil }
        let own = runs[(n - 1)...]
        return Double(own.count { $0 < n }) / Double(own.count)
    }
}
