/// Finds texts in a text that is read byte by byte (Aho and Corasick, 1975).
struct MarkTable: Sendable {
    private struct State: Sendable {
        var children: [UInt8: Int32] = [:]
        var failure: Int32 = 0
        var target: RuleProgram.Address = -1
    }

    private var states = [State()]
    /// Control tokens that are marks, and what stands behind them.
    var tokens: [Int32: RuleProgram.Address] = [:]

    mutating func add(_ bytes: [UInt8], _ target: RuleProgram.Address) {
        var state = 0
        for byte in bytes {
            if let next = states[state].children[byte] {
                state = Int(next)
            } else {
                states.append(State())
                states[state].children[byte] = Int32(states.count - 1)
                state = states.count - 1
            }
        }
        states[state].target = target
    }

    mutating func link() {
        var open = [0]
        var next = 0
        while next < open.count {
            let state = open[next]
            next += 1
            for (byte, child) in states[state].children {
                let failure = state == 0 ? 0 : self.next(states[state].failure, byte)
                states[Int(child)].failure = failure
                if states[Int(child)].target < 0 { states[Int(child)].target = states[Int(failure)].target }
                open.append(Int(child))
            }
        }
    }

    func next(_ state: Int32, _ byte: UInt8) -> Int32 {
        var state = state
        while true {
            if let next = states[Int(state)].children[byte] { return next }
            if state == 0 { return 0 }
            state = states[Int(state)].failure
        }
    }

    /// What stands behind the mark that ends here; −1 where none does.
    func target(_ state: Int32) -> RuleProgram.Address { states[Int(state)].target }
}
