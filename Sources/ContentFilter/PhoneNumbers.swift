/// Telephone numbers, by the plans that they belong to.
enum PhoneNumbers {
    /// ITU-T E.164's country codes of two and three digits that are given out; 1 and 7 have one digit.
    private static let countryCodes: Set<Int> = Set(
        [20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41] + Array(43...49) + Array(51...58) + Array(60...66)
            + [81, 82, 84, 86] + Array(90...95) + [98, 211, 212, 213, 216, 218] + Array(220...269) + [
                290, 291, 297, 298, 299,
            ]
            + Array(350...359) + Array(370...378) + [380, 381, 382, 383, 385, 386, 387, 389, 420, 421, 423]
            + Array(500...509) + Array(590...599) + [670] + Array(672...683) + Array(685...692)
            + [800, 808, 850, 852, 853, 855, 856, 870, 878, 880, 881, 882, 883, 886, 888]
            + Array(960...968) + Array(970...977) + [979, 992, 993, 994, 995, 996, 998])

    /// Digits behind the country code, where the plan is strict.
    private static let nationalLengths: [Int: ClosedRange<Int>] = [
        1: 10...10, 7: 10...10, 30: 10...10, 31: 9...9, 32: 8...9, 33: 9...9, 34: 9...9, 36: 8...9, 39: 6...11,
        40: 9...9, 41: 9...9, 43: 7...12, 44: 9...10, 45: 8...8, 46: 7...10, 47: 8...8, 48: 9...9, 49: 7...12,
        51: 8...9,
        52: 10...10, 54: 10...11, 55: 10...11, 57: 8...10, 61: 9...9, 64: 8...10, 65: 8...8, 66: 8...9, 81: 9...10,
        82: 8...10, 86: 9...11, 90: 10...10, 91: 10...10, 92: 9...10, 98: 10...10, 351: 9...9, 353: 8...9, 358: 6...12,
        420: 9...9, 852: 8...8, 853: 8...8, 886: 8...9, 966: 9...9, 971: 8...9, 972: 8...9,
    ]

    /// Behind a plus.
    static func isInternational(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        // A trunk zero in brackets is not dialled from abroad.
        let text = String(decoding: match, as: UTF8.self).replacing("(0)", with: "")
        let digits = Checksums.digits(Array(text.utf8))
        guard (8...15).contains(digits.count), let code = countryCode(digits) else { return false }
        let length = String(code).utf8.count
        let national = digits.dropFirst(length)
        guard (nationalLengths[code] ?? 6...12).contains(national.count) else { return false }
        if code == 1 && !isNorthAmerican(Array(national)) || before.calls(NumberNames.other) { return false }
        if code == 86, national.first == 1, national.count == 11, !isChineseMobile(Array(national)) { return false }
        let groups = text.utf8.split { !(48...57).contains($0) }
        guard groups.count > 1 else { return !Checksums.isRound(match) }
        // The country's code is not cut, and a decimal point alone parts a telephone number only where it is called one.
        let points = text.utf8.count { $0 == 0x2E }
        if points == 1, groups.count == 2, !before.names(NumberNames.phone) { return false }
        return groups[0].count >= length
    }

    private static func countryCode(_ digits: [Int]) -> Int? {
        if digits[0] == 1 || digits[0] == 7 { return digits[0] }
        let two = digits[0] * 10 + digits[1]
        if countryCodes.contains(two) { return two }
        let three = two * 10 + digits[2]
        return countryCodes.contains(three) ? three : nil
    }

    /// With or without 86, in digits alone or in groups of three, four and four.
    static func isChineseMobile(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        let digits = Checksums.digits(match)
        guard isChineseMobile(Array(digits.suffix(11))), !before.calls(NumberNames.other), !before.isPath else {
            return false
        }
        if before.isIdentifier && !before.names(NumberNames.phone) { return false }
        return match.count > 11 || !Checksums.isRound(match)
    }

    /// The prefixes that are given out to people.
    private static func isChineseMobile(_ digits: [Int]) -> Bool {
        let taken: Set<Int> =
            switch digits[1] {
            case 3, 8: Set(0...9)
            case 4: Set(5...9)
            case 5: Set(0...9).subtracting([4])
            case 6: [2, 5, 6, 7]
            case 7: Set(0...8).subtracting([4])
            case 9: Set(0...9).subtracting([4])
            default: []
            }
        return digits.count == 11 && digits[0] == 1 && taken.contains(digits[2])
    }

    /// Behind an area code: Beijing and the cities of 02x have eight digits.
    static func isChineseLandline(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        !before.calls(NumberNames.other) && !before.isIdentifier
    }

    /// With brackets, hyphens, points or spaces.
    static func isNorthAmerican(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        let digits = Checksums.digits(match)
        guard isNorthAmerican(Array(digits.suffix(10))), !before.calls(NumberNames.other) else { return false }
        // `252.227-7013`: a clause.
        guard !(match.contains(0x2E) && match.contains(0x2D)) else { return false }
        if match.contains(0x28) || before.names(NumberNames.phone) { return true }
        let groups = match.split { !(48...57).contains($0) }.suffix(3)
        let numbers = groups.map { Checksums.digits(Array($0)).reduce(0) { $0 * 10 + $1 } }
        guard match.contains(0x20), !match.contains(0x2D), !match.contains(0x2E) else {
            return !numbers.allSatisfy { $0 % 100 == 0 }
        }
        // Three numbers with spaces between are most often three numbers.
        if groups.last?.first == 0x30 { return true }
        let isRow = before.bytes.last == 0x20 && before.bytes.dropLast().last.map { (48...57).contains($0) } ?? false
        let isTold = numbers.contains { $0 % 10 == 0 } || groups.contains { Set($0).count == 1 }
        return !isRow && !isTold
    }

    /// Ten digits: no area or exchange begins with 0 or 1, or ends in 11.
    private static func isNorthAmerican(_ digits: [Int]) -> Bool {
        digits.count == 10
            && [0, 3].allSatisfy { digits[$0] >= 2 && !(digits[$0 + 1] == 1 && digits[$0 + 2] == 1) }
    }
}
