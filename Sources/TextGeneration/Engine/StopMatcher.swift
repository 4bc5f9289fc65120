/// Finds stop strings across token borders: text that may still become one is held back.
package struct StopMatcher: Sendable {
    private let stops: [(name: String, bytes: [UInt8])]
    private var pending: [UInt8] = []

    package init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { ($0, Array($0.utf8)) } }

    /// Takes text; returns what can be shown now, and the stop string that was met, if any (it is not part of the text).
    package mutating func append(_ text: String) -> (text: String, stop: String?) {
        if stops.isEmpty { return (text, nil) }
        pending.append(contentsOf: text.utf8)
        if let (cut, stop) = earliestMatch() {
            let shown = String(decoding: pending[..<cut], as: UTF8.self)
            pending = []
            return (shown, stop)
        }
        let end = pending.count - heldBack()
        let shown = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        return (shown, nil)
    }

    /// What was held back, at the end of the text.
    package mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    private func earliestMatch() -> (start: Int, stop: String)? {
        for start in pending.indices {
            for (name, stop) in stops where start + stop.count <= pending.count {
                if pending[start..<start + stop.count].elementsEqual(stop) { return (start, name) }
            }
        }
        return nil
    }

    /// The longest suffix that begins some stop string.
    private func heldBack() -> Int {
        let longest = stops.map { $0.bytes.count - 1 }.max() ?? 0
        for length in stride(from: min(longest, pending.count), to: 0, by: -1) {
            let suffix = pending.suffix(length)
            if stops.contains(where: { $0.bytes.count > length && $0.bytes.prefix(length).elementsEqual(suffix) }) {
                return length
            }
        }
        return 0
    }
}
