import JSON

/// A number as its decimal digits: ±d₁.d₂d₃… · 10^exponent, exact whatever its size. Equal numbers have equal parts.
struct Decimal: Sendable, Hashable {
    var isNegative: Bool
    /// 0…9; neither the first nor the last is 0. None for zero.
    var digits: [UInt8]
    var exponent: Int

    static let zero = Decimal(isNegative: false, digits: [], exponent: 0)
    var isZero: Bool { digits.isEmpty }

    /// Exponents beyond say nothing that a schema needs.
    private static let exponentLimit = 100_000

    private init(isNegative: Bool, digits: [UInt8], exponent: Int) {
        (self.isNegative, self.digits, self.exponent) = (isNegative, digits, exponent)
    }

    /// - Returns: nil for a number whose exponent is absurd.
    init?(_ number: JSONNumber) { self.init(text: Array(number.text.utf8)) }

    /// - Parameter text: a number of JSON.
    init?(text: [UInt8]) {
        var digits: [UInt8] = []
        var position = 0
        var isNegative = false
        if text.first == UInt8(ascii: "-") {
            isNegative = true
            position = 1
        }
        var whole = 0
        while position < text.count, (0x30...0x39).contains(text[position]) {
            digits.append(text[position] - 0x30)
            whole += 1
            position += 1
        }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            while position < text.count, (0x30...0x39).contains(text[position]) {
                digits.append(text[position] - 0x30)
                position += 1
            }
        }
        var exponent = 0
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            let rest = text[(position + 1)...]
            let isMinus = rest.first == UInt8(ascii: "-")
            for byte in rest where (0x30...0x39).contains(byte) {
                exponent = min(exponent * 10 + Int(byte - 0x30), 10 * Self.exponentLimit)
            }
            if isMinus { exponent = -exponent }
        }
        guard let first = digits.firstIndex(where: { $0 != 0 }) else {
            self = .zero
            return
        }
        let last = digits.lastIndex { $0 != 0 } ?? first
        let value = exponent + whole - 1 - first
        guard abs(value) <= Self.exponentLimit, digits.count <= Self.exponentLimit else { return nil }
        self.init(isNegative: isNegative, digits: Array(digits[first...last]), exponent: value)
    }

    /// Digits behind the point.
    var scale: Int { isZero ? 0 : max(0, digits.count - 1 - exponent) }
    var isInteger: Bool { scale == 0 }
    var magnitude: Decimal { Decimal(isNegative: false, digits: digits, exponent: exponent) }

    /// |self| · 10^`scale` where that is a whole number below 2^31; else nil.
    func scaled(by scale: Int) -> Int? {
        guard scale >= self.scale else { return nil }
        if isZero { return 0 }
        var value = 0
        for index in 0...max(0, exponent + scale) {
            value = value * 10 + Int(index < digits.count ? digits[index] : 0)
            guard value < 1 << 31 else { return nil }
        }
        return value
    }
}
