/// Finds stop strings across token borders: text that may still become one is held back.
package struct StopMatcher: Sendable {
    private let stops: [[UInt8]]
    private var pending: [UInt8] = []

    package init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

    /// Takes text; returns what can be shown now, and whether a stop string was met (it is not part of the text).
    package mutating func append(_ text: String) -> (text: String, stopped: Bool) {
        if stops.isEmpty { return (text, false) }
        pending.append(contentsOf: text.utf8)
        if let cut = earliestMatch() {
            let shown = String(decoding: pending[..<cut], as: UTF8.self)
            pending = []
            return (shown, true)
        }
        let end = pending.count - heldBack()
        let shown = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        return (shown, false)
    }

    /// What was held back, at the end of the text.
    package mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    private func earliestMatch() -> Int? {
        for start in pending.indices {
            for stop in stops where start + stop.count <= pending.count {
                if pending[start..<start + stop.count].elementsEqual(stop) { return start }
            }
        }
        return nil
    }

    /// The longest suffix that begins some stop string.
    private func heldBack() -> Int {
        let longest = stops.map { $0.count - 1 }.max() ?? 0
        for length in stride(from: min(longest, pending.count), to: 0, by: -1) {
            let suffix = pending.suffix(length)
            if stops.contains(where: { $0.count > length && $0.prefix(length).elementsEqual(suffix) }) { return length }
        }
        return 0
    }
}
