/// A deterministic automaton over the bytes of numbers, of which every state can still reach an accepting one. It knows which
/// of several predicates a number satisfies, by its decimal digits.
///
/// Where something is asked of numbers, an exponent stands only behind one digit that is not 0 and a fraction, as every
/// printer writes it, that would do without one, behind a single 1, or behind the digits of a number that is named; where
/// multiples are asked for, nowhere. Whole numbers are written without a fraction or with `.0`.
struct NumberAutomaton: Sendable {
    /// States, at most.
    private static let limit = 20_000
    /// Symbols: ten digits, '-', '.', 'e' or 'E', '+'.
    static let symbols = 14

    /// By state and symbol; −1 where nothing goes on.
    private(set) var targets: [Int32] = []
    /// The predicates that hold of a number that ends at a state, a bit each; 0 where none ends.
    private(set) var accepted: [UInt64] = []

    var isEmpty: Bool { accepted.isEmpty }

    func next(_ state: Int32, _ byte: UInt8) -> Int32 {
        let symbol: Int
        switch byte {
        case 0x30...0x39: symbol = Int(byte - 0x30)
        case UInt8(ascii: "-"): symbol = 10
        case UInt8(ascii: "."): symbol = 11
        case UInt8(ascii: "e"), UInt8(ascii: "E"): symbol = 12
        case UInt8(ascii: "+"): symbol = 13
        default: return -1
        }
        return targets[Int(state) * Self.symbols + symbol]
    }

    /// - Parameter predicates: at most 64.
    /// - Throws: `GrammarError.tooComplex`.
    init(_ predicates: [NumberPredicate]) throws(GrammarError) {
        precondition(predicates.count <= 64, "\(predicates.count) predicates")
        let reader = try NumberReader(predicates)
        var numbers: [NumberReader.State: Int32] = [NumberReader.State(reader): 0]
        var order = [NumberReader.State(reader)]
        var targets: [Int32] = []
        var accepted: [UInt64] = []
        while accepted.count < order.count {
            guard order.count <= Self.limit else {
                throw GrammarError(.tooComplex, "what is asked of a number takes more than \(Self.limit) states")
            }
            let state = order[accepted.count]
            for symbol in 0..<Self.symbols {
                guard let next = reader.next(state, symbol) else {
                    targets.append(-1)
                    continue
                }
                if let known = numbers[next] {
                    targets.append(known)
                } else {
                    numbers[next] = Int32(order.count)
                    targets.append(Int32(order.count))
                    order.append(next)
                }
            }
            accepted.append(reader.accepted(state))
        }
        trim(targets, accepted)
    }

    /// Leaves out what reaches no end.
    private mutating func trim(_ all: [Int32], _ ends: [UInt64]) {
        var sources = [[Int32]](repeating: [], count: ends.count)
        for (index, target) in all.enumerated() where target >= 0 {
            sources[Int(target)].append(Int32(index / Self.symbols))
        }
        var isLive = ends.map { $0 != 0 }
        var open = isLive.indices.filter { isLive[$0] }
        while let state = open.popLast() {
            for source in sources[state] where !isLive[Int(source)] {
                isLive[Int(source)] = true
                open.append(Int(source))
            }
        }
        guard isLive[0] else { return }
        var places = [Int32](repeating: -1, count: ends.count)
        var count: Int32 = 0
        for state in isLive.indices where isLive[state] {
            places[state] = count
            count += 1
        }
        for state in isLive.indices where isLive[state] {
            accepted.append(ends[state])
            for target in all[state * Self.symbols..<(state + 1) * Self.symbols] {
                targets.append(target < 0 ? -1 : places[Int(target)])
            }
        }
    }
}

/// Reads numbers digit by digit and remembers no more of them than what is asked.
private struct NumberReader {
    private enum Spelling { case whole, plain, any }

    enum Phase: UInt8 { case begin, minus, zero, whole, point, fraction, exponent, exponentSign, exponentDigits }

    struct State: Hashable {
        var phase = Phase.begin
        var isNegative = false
        /// Whether digits so far are all 0.
        var isZero = true
        /// Whether there is no more than the digit 1.
        var isOne = false
        /// Digits of the whole part and of the fraction, as far as they matter.
        var whole: Int16 = 0
        var fraction: Int16 = 0
        /// The last place behind the point that is not 0, as far as it matters.
        var lastPlace: Int16 = 0
        /// By atom, of a number without an exponent: how digits compare with the bound's, or the remainder; −1 for no
        /// multiple.
        var plain: [Int32]
        /// By atom, of one with an exponent: how d.ddd compares with the bound's digits. None where no exponent can follow.
        var mantissa: [Int8]
        var isExponentNegative = false
        var exponent: Int16 = 0
        var exponentDigits: Int8 = 0

        init(_ reader: NumberReader) {
            plain = Array(repeating: 0, count: reader.atoms.count)
            mantissa = Array(repeating: 0, count: reader.spelling == .any ? reader.atoms.count : 0)
        }
    }

    /// Digits of whole numbers that doubles hold exactly.
    private static let exactDigits = 15

    /// Digits of an exponent, at most.
    private static let longestExponent = 3

    private let predicates: [NumberPredicate]
    private let atoms: [NumberPredicate]
    private let spelling: Spelling
    private let wholeLimit: Int
    private let fractionLimit: Int
    private let mantissaLimit: Int
    private let exponentLimit: Int
    private let tracksPlaces: Bool

    init(_ predicates: [NumberPredicate]) throws(GrammarError) {
        self.predicates = predicates
        var atoms: [NumberPredicate] = []
        for atom in predicates.flatMap(\.atoms) where !atoms.contains(atom) { atoms.append(atom) }
        self.atoms = atoms
        var (whole, fraction, mantissa, exponent) = (1, 0, 0, 0)
        var (hasSteps, tracksPlaces) = (false, false)
        for atom in atoms {
            switch atom {
            case .below(let bound, _), .equals(let bound):
                guard abs(bound.exponent) <= 400, bound.digits.count <= 400 else {
                    throw GrammarError(.tooComplex, "a bound has more than 400 digits")
                }
                whole = max(whole, bound.exponent + 1)
                fraction = max(fraction, bound.scale)
                mantissa = max(mantissa, bound.digits.count)
                exponent = max(exponent, abs(bound.exponent))
            case .multiple(let step):
                guard let modulus = step.scaled(by: step.scale), modulus <= 10_000 else {
                    throw GrammarError(.tooComplex, "multiples of a number of more than four digits are not told apart")
                }
                fraction = max(fraction, step.scale)
                hasSteps = true
            case .integer: tracksPlaces = true
            default: break
            }
        }
        spelling = predicates.allSatisfy(\.isWhole) ? .whole : hasSteps ? .plain : .any
        if tracksPlaces, spelling == .any { mantissa = max(mantissa, 17) }
        if spelling == .whole { whole = max(whole, Self.exactDigits) }
        (wholeLimit, fractionLimit, mantissaLimit) = (whole + 1, fraction + 1, mantissa + 1)
        exponentLimit = max(exponent, mantissa) + 1
        self.tracksPlaces = tracksPlaces
    }

    func next(_ state: State, _ symbol: Int) -> State? {
        var next = state
        switch (state.phase, symbol) {
        case (.begin, 10): (next.phase, next.isNegative) = (.minus, true)
        case (.begin, 0), (.minus, 0): digit(0, into: &next, .zero)
        case (.begin, 1...9), (.minus, 1...9), (.whole, 0...9): digit(symbol, into: &next, .whole)
        case (.zero, 11), (.whole, 11):
            // A fraction makes a double of a number for most readers.
            if spelling == .whole, state.whole > Self.exactDigits { return nil }
            next.phase = .point
        case (.point, 0...9), (.fraction, 0...9):
            if spelling == .whole, symbol != 0 || state.phase == .fraction { return nil }
            digit(symbol, into: &next, .fraction)
        case (.zero, 12), (.whole, 12), (.fraction, 12):
            guard spelling == .any, atoms.isEmpty || hasMantissa(state) && isMeant(state) else { return nil }
            next.phase = .exponent
            next.plain = []
            next.isOne = false
            settleMantissa(&next)
        case (.exponent, 10), (.exponent, 13):
            (next.phase, next.isExponentNegative) = (.exponentSign, symbol == 10)
        case (.exponent, 0...9), (.exponentSign, 0...9), (.exponentDigits, 0...9):
            next.phase = .exponentDigits
            guard state.exponentDigits < Self.longestExponent else { return nil }
            next.exponentDigits += 1
            if !atoms.isEmpty {
                next.exponent = min(state.exponent * 10 + Int16(symbol), Int16(exponentLimit))
            }
        default: return nil
        }
        return next
    }

    /// What the digits behind the point are no longer needed for.
    private func settleMantissa(_ state: inout State) {
        for (index, atom) in atoms.enumerated() where state.mantissa[index] == 0 {
            switch atom {
            case .below(let bound, _), .equals(let bound):
                if Int(state.fraction) + 1 < bound.digits.count { state.mantissa[index] = -1 }
            default: break
            }
        }
        state.fraction = 0
    }

    /// Whether an exponent may follow what is read.
    private func hasMantissa(_ state: State) -> Bool {
        !state.mantissa.isEmpty && (!tracksPlaces || Int(state.fraction) < mantissaLimit)
    }

    /// Whether an exponent is what a writer has in mind: not where the digits alone would not do, and one would have to be found
    /// that mends them; but behind a single 1, and behind all digits of a number that is asked for.
    private func isMeant(_ state: State) -> Bool {
        let isNamed = atoms.indices.contains { index in
            guard case .equals(let value) = atoms[index] else { return false }
            return state.mantissa[index] == 0 && Int(state.fraction) + 1 >= value.digits.count
        }
        return state.isOne || isNamed || accepted(state) != 0
    }

    private func digit(_ digit: Int, into state: inout State, _ phase: Phase) {
        let isFraction = phase == .fraction
        let place = Int(isFraction ? state.fraction : state.whole)
        for (index, atom) in atoms.enumerated() {
            switch atom {
            case .below(let bound, _), .equals(let bound):
                compare(digit, place, isFraction: isFraction, with: bound, index, &state)
            case .multiple(let step):
                guard state.plain[index] >= 0, let modulus = step.scaled(by: step.scale) else { continue }
                if isFraction, place >= step.scale {
                    if digit != 0 { state.plain[index] = -1 }
                } else {
                    state.plain[index] = (state.plain[index] * 10 + Int32(digit)) % Int32(modulus)
                }
            default: break
            }
        }
        state.phase = phase
        state.isOne = phase == .whole && state.whole == 0 && digit == 1
        if digit != 0 { state.isZero = false }
        if isFraction {
            let limit = state.mantissa.isEmpty ? fractionLimit : max(fractionLimit, mantissaLimit)
            state.fraction = min(state.fraction + 1, Int16(limit))
            if tracksPlaces, digit != 0 { state.lastPlace = state.mantissa.isEmpty ? 1 : state.fraction }
        } else {
            state.whole = min(state.whole + 1, Int16(wholeLimit))
            if state.whole > 1 || digit == 0 { state.mantissa = [] }
        }
    }

    /// Takes a digit into the comparisons, plain and with the bound's own digits.
    private func compare(
        _ digit: Int, _ place: Int, isFraction: Bool, with bound: Decimal, _ index: Int, _ state: inout State
    ) {
        let wholeDigits = max(1, bound.exponent + 1)
        // As if both had as many whole digits: where they have not, that decides.
        if state.plain[index] == 0, isFraction || place < wholeDigits {
            let position = (isFraction ? wholeDigits : 0) + place + min(0, bound.exponent)
            let own = position >= 0 && position < bound.digits.count ? Int(bound.digits[position]) : 0
            if digit != own { state.plain[index] = digit < own ? -1 : 1 }
        }
        if !state.mantissa.isEmpty, state.mantissa[index] == 0 {
            let position = isFraction ? place + 1 : place
            let own = position < bound.digits.count ? Int(bound.digits[position]) : 0
            if digit != own { state.mantissa[index] = digit < own ? -1 : 1 }
        }
    }

    // MARK: What holds of a number

    /// The predicates that hold where the number ends here; 0 where it cannot.
    func accepted(_ state: State) -> UInt64 {
        switch state.phase {
        case .zero, .whole, .fraction, .exponentDigits: break
        default: return 0
        }
        let facts = Dictionary(uniqueKeysWithValues: atoms.indices.map { (atoms[$0], holds(atoms[$0], $0, state)) })
        return predicates.indices.reduce(0) { bits, index in
            predicates[index].evaluate { facts[$0] ?? false } ? bits | 1 << UInt64(index) : bits
        }
    }

    private func exponent(_ state: State) -> Int { Int(state.exponent) * (state.isExponentNegative ? -1 : 1) }

    private func holds(_ atom: NumberPredicate, _ index: Int, _ state: State) -> Bool {
        let isNegative = state.isNegative && !state.isZero
        switch atom {
        case .integer:
            return state.phase == .exponentDigits ? exponent(state) >= Int(state.lastPlace) : state.lastPlace == 0
        case .below(let bound, let orEqual):
            if isNegative != bound.isNegative {
                return state.isZero && bound.isZero ? orEqual : isNegative
            }
            let order = compare(state, bound, index)
            return order == 0 ? orEqual : (order < 0) != isNegative
        case .equals(let value): return isNegative == value.isNegative && compare(state, value, index) == 0
        case .multiple(let step):
            guard state.plain[index] >= 0, let modulus = step.scaled(by: step.scale) else { return false }
            // As if the fraction had as many digits as the step's.
            var remainder = Int(state.plain[index])
            for _ in 0..<max(0, step.scale - Int(state.fraction)) { remainder = remainder * 10 % modulus }
            return remainder == 0
        default: return false
        }
    }

    /// How |number| compares with |bound|: −1, 0, 1.
    private func compare(_ state: State, _ bound: Decimal, _ index: Int) -> Int {
        if bound.isZero || state.isZero { return state.isZero ? bound.isZero ? 0 : -1 : 1 }
        if state.phase == .exponentDigits {
            if exponent(state) != bound.exponent { return exponent(state) < bound.exponent ? -1 : 1 }
            return Int(state.mantissa[index])
        }
        let wholeDigits = max(1, bound.exponent + 1)
        if Int(state.whole) != wholeDigits { return Int(state.whole) < wholeDigits ? -1 : 1 }
        if state.plain[index] != 0 { return Int(state.plain[index]) }
        return Int(state.fraction) < bound.scale ? -1 : 0
    }
}
