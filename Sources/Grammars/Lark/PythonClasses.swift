/// The classes of characters of Python's `re` for texts (`str.isdecimal`, `isalnum`, `isspace`), and its way of ignoring case.
enum PythonClasses {
    static let digits = set { $0.generalCategory == .decimalNumber }
    static let blanks = set {
        switch $0.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0: true
        default: $0.generalCategory == .spaceSeparator || $0 == "\u{2028}" || $0 == "\u{2029}"
        }
    }
    static let asciiBlanks = ScalarSet([0x09...0x0D, 0x20...0x20])
    static let wordCharacters = set {
        switch $0.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber: true
        case .letterNumber, .otherNumber: $0.properties.numericType != nil
        default: $0 == "_"
        }
    }

    /// With every character those that differ from it by case alone.
    static func withOtherCases(_ set: ScalarSet) -> ScalarSet {
        var found = set.ranges
        for group in caseGroups where group.contains(where: { set.contains($0) }) { found += group.map { $0...$0 } }
        return ScalarSet(found)
    }

    /// Characters that are one when case is ignored.
    private static let caseGroups: [[UInt32]] = {
        func single(_ text: String, _ other: Unicode.Scalar) -> Unicode.Scalar {
            let scalars = text.unicodeScalars
            return scalars.count == 1 ? scalars.first ?? other : other
        }
        var groups: [UInt32: [UInt32]] = [:]
        for value in 0...UInt32(0x1FFFF) {
            guard let scalar = Unicode.Scalar(value), scalar.properties.isCased else { continue }
            let upper = single(scalar.properties.uppercaseMapping, scalar)
            groups[single(upper.properties.lowercaseMapping, upper).value, default: []].append(value)
        }
        return groups.values.filter { $0.count > 1 }
    }()

    private static func set(_ holds: (Unicode.Scalar) -> Bool) -> ScalarSet {
        ScalarSet((0...UInt32(0x10FFFF)).compactMap { Unicode.Scalar($0) }.filter(holds))
    }
}

extension Unicode.Scalar {
    fileprivate var generalCategory: Unicode.GeneralCategory { properties.generalCategory }
}
