/// Numbers of payment cards: an issuer's prefix, a length that it gives out, Luhn's check digit, a card's groups.
enum CardNumbers {
    private struct Issuer {
        /// The first digits, all of one length.
        var prefixes: ClosedRange<Int>
        var lengths: ClosedRange<Int>
    }

    /// ISO/IEC 7812 issuers as their networks publish them.
    private static let issuers: [Issuer] = [
        Issuer(prefixes: 4...4, lengths: 13...13), Issuer(prefixes: 4...4, lengths: 16...16),  // Visa
        Issuer(prefixes: 4...4, lengths: 19...19),
        Issuer(prefixes: 51...55, lengths: 16...16), Issuer(prefixes: 2221...2720, lengths: 16...16),  // Mastercard
        Issuer(prefixes: 34...34, lengths: 15...15), Issuer(prefixes: 37...37, lengths: 15...15),  // American Express
        Issuer(prefixes: 300...305, lengths: 14...14), Issuer(prefixes: 36...36, lengths: 14...14),  // Diners Club
        Issuer(prefixes: 38...39, lengths: 14...14), Issuer(prefixes: 300...305, lengths: 16...16),
        Issuer(prefixes: 3528...3589, lengths: 16...16),  // JCB
        Issuer(prefixes: 60...60, lengths: 16...16), Issuer(prefixes: 64...65, lengths: 16...16),  // Discover, RuPay
        Issuer(prefixes: 6011...6011, lengths: 16...19), Issuer(prefixes: 62...62, lengths: 16...19),  // UnionPay
        Issuer(prefixes: 2200...2204, lengths: 16...16),  // Mir
        Issuer(prefixes: 5019...5019, lengths: 16...16),  // Dankort
        Issuer(prefixes: 506_699...506_778, lengths: 16...16),  // Elo
        Issuer(prefixes: 506_099...506_198, lengths: 16...19),  // Verve
        Issuer(prefixes: 5018...5018, lengths: 16...19), Issuer(prefixes: 5020...5020, lengths: 16...19),  // Maestro
        Issuer(prefixes: 5038...5038, lengths: 16...19), Issuer(prefixes: 5893...5893, lengths: 16...19),
        Issuer(prefixes: 6304...6304, lengths: 16...19), Issuer(prefixes: 67...67, lengths: 16...19),
    ]

    static func isCard(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        let digits = Checksums.digits(match)
        guard isIssued(digits), Checksums.luhn(match), !before.isIdentifier else { return false }
        if before.calls(NumberNames.other) || Checksums.isRoundInBinary(match) { return false }
        // Thirteen digits have not been given out for years, and are the length of a bar code.
        if digits.count == 13 { return before.names(NumberNames.card) && !Checksums.ean(digits) }
        let groups = match.split { !(48...57).contains($0) }.map { Array($0) }
        guard groups.count > 1 else { return true }
        return !isList(groups) && !isRow(before, groups[0].count)
    }

    private static func isIssued(_ digits: [Int]) -> Bool {
        issuers.contains { issuer in
            guard issuer.lengths.contains(digits.count) else { return false }
            let length = String(issuer.prefixes.lowerBound).utf8.count
            return issuer.prefixes.contains(digits.prefix(length).reduce(0) { $0 * 10 + $1 })
        }
    }

    /// Whether the groups are numbers of their own: without a zero in front, and all of them round or at one distance.
    private static func isList(_ groups: [[UInt8]]) -> Bool {
        guard groups.count > 2, groups.allSatisfy({ $0.first != 0x30 }) else { return false }
        let numbers = groups.map { Checksums.digits($0).reduce(0) { $0 * 10 + $1 } }
        let steps = Set(zip(numbers, numbers.dropFirst()).map { $0.1 - $0.0 })
        return numbers.allSatisfy { $0 % 50 == 0 } || (steps.count == 1 && steps != [0])
    }

    /// Whether a group that is no year stands before: four of many numbers in a row.
    private static func isRow(_ before: PrecedingText, _ length: Int) -> Bool {
        let bytes = before.bytes
        guard let last = bytes.last, last == 0x20 || last == 0x2D else { return false }
        let number = bytes.dropLast().reversed().prefix { (48...57).contains($0) }.reversed()
        return number.count == length && !number.starts(with: [0x32, 0x30])
    }
}
