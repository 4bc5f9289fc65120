/// A text as the units that it is compared by: words in lower case without punctuation; where a script sets no spaces (Han,
/// Kana, Thai, Lao, Khmer, Burmese, Tibetan), characters.
package struct TextUnits: Sendable {
    /// The units' UTF-8, one behind the other.
    private var bytes: [UInt8] = []
    /// Where each ends in `bytes`, and how many scalars it has.
    private var ends: [Int] = []
    private var lengths: [Int32] = []
    /// Units that are characters of a script without spaces.
    package private(set) var characterCount = 0

    package init(_ text: String) {
        var isInside = false
        for scalar in text.unicodeScalars {
            let value = scalar.value
            if value < 0x80 {
                switch UInt8(value) {
                case 0x61...0x7A, 0x30...0x39: word(scalar, &isInside)
                case 0x41...0x5A: word(Unicode.Scalar(UInt8(value | 0x20)), &isInside)
                // Between letters: «don't» is one word.
                case 0x27 where isInside: continue
                default: isInside = false
                }
            } else if Self.isSpaceless(value) {
                let category = scalar.properties.generalCategory
                if Self.isMark(category) {
                    if !ends.isEmpty { extend(scalar) }
                } else if scalar.properties.isAlphabetic || Self.isNumber(category) {
                    begin()
                    extend(scalar)
                    characterCount += 1
                }
                isInside = false
            } else if value == 0x2019, isInside {
                continue
            } else {
                let properties = scalar.properties
                let category = properties.generalCategory
                if Self.isMark(category) {
                    if isInside { extend(scalar) }
                } else if properties.isAlphabetic || Self.isNumber(category) {
                    let lower = properties.isUppercase ? properties.lowercaseMapping : nil
                    for scalar in lower?.unicodeScalars ?? String.UnicodeScalarView([scalar]) {
                        // A sigma at a word's end is a sigma.
                        word(scalar == "ς" ? "σ" : scalar, &isInside)
                    }
                } else {
                    isInside = false
                }
            }
        }
    }

    package var count: Int { ends.count }

    /// Scalars of a unit.
    package func length(_ index: Int) -> Int { Int(lengths[index]) }

    package subscript(index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

    /// Whether most units are characters: then a word is some two of them.
    package var isSpaceless: Bool { characterCount * 2 > count }

    /// The unit's letters, for tests and lists of words.
    package func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

    private mutating func begin() {
        ends.append(bytes.count)
        lengths.append(0)
    }

    private mutating func extend(_ scalar: Unicode.Scalar) {
        bytes += UTF8.encode(scalar).map { Array($0) } ?? []
        ends[ends.count - 1] = bytes.count
        lengths[lengths.count - 1] += 1
    }

    private mutating func word(_ scalar: Unicode.Scalar, _ isInside: inout Bool) {
        if !isInside { begin() }
        isInside = true
        if scalar.isASCII {
            bytes.append(UInt8(scalar.value))
            ends[ends.count - 1] = bytes.count
            lengths[lengths.count - 1] += 1
        } else {
            extend(scalar)
        }
    }

    private static func isMark(_ category: Unicode.GeneralCategory) -> Bool {
        switch category {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    private static func isNumber(_ category: Unicode.GeneralCategory) -> Bool {
        switch category {
        case .decimalNumber, .letterNumber, .otherNumber: true
        default: false
        }
    }

    private static func isSpaceless(_ value: UInt32) -> Bool {
        switch value {
        case 0x0E00...0x0FFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3005...0x3007, 0x3041...0x30FF, 0x31F0...0x31FF,
            0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0xFF66...0xFF9D, 0x20000...0x3FFFF:
            true
        default: false
        }
    }
}

extension TextUnits {
    /// A hash of each unit, in 64 bits.
    var hashes: [UInt64] {
        (0..<count).map { index in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in self[index] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            return Self.mixed(hash)
        }
    }

    /// Hashes of all runs of `length` units: of none where the text is shorter.
    static func grams(_ hashes: [UInt64], length: Int) -> [UInt64] {
        guard length > 0, hashes.count >= length else { return [] }
        let base: UInt64 = 0x9E37_79B9_7F4A_7C15
        var top: UInt64 = 1
        for _ in 1..<max(length, 1) { top = top &* base }
        var rolling: UInt64 = 0
        var grams: [UInt64] = []
        grams.reserveCapacity(hashes.count - length + 1)
        for (index, hash) in hashes.enumerated() {
            if index >= length { rolling = rolling &- hashes[index - length] &* top }
            rolling = rolling &* base &+ hash
            if index >= length - 1 { grams.append(mixed(rolling)) }
        }
        return grams
    }

    /// MurmurHash3's finalizer.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ hash >> 33
    }
}
