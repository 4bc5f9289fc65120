/// The check digits of numbers that name people and accounts.
enum Checksums {
    /// Luhn's, of cards (ISO/IEC 7812-1, annex B). Separators are passed over.
    static func luhn(_ bytes: [UInt8]) -> Bool {
        let digits = digits(bytes)
        guard (13...19).contains(digits.count), Set(digits).count > 1 else { return false }
        var sum = 0
        for (place, digit) in digits.reversed().enumerated() {
            let doubled = place % 2 == 1 ? digit * 2 : digit
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return sum % 10 == 0
    }

    /// ISO 13616: the first four characters behind the rest, letters as 10 to 35, is 1 modulo 97.
    ///
    /// - Returns: how many bytes of `bytes` the number has, as long as its country makes it; what follows may be text.
    static func iban(_ bytes: [UInt8]) -> Int? {
        let isSeparator = { (byte: UInt8) in byte == 0x20 || byte == 0x2D }
        let all = bytes.map { $0 >= 97 ? $0 - 32 : $0 }
        let country = String(decoding: all.prefix(2), as: UTF8.self)
        guard let length = ibanLengths[country] else { return nil }
        let places = all.indices.filter { !isSeparator(all[$0]) }
        guard places.count >= length else { return nil }
        let end = places[length - 1] + 1
        guard end == all.count || isSeparator(all[end]) else { return nil }
        let characters = places.prefix(length).map { all[$0] }
        if ibanDigits.contains(country), !characters[4...].allSatisfy({ $0 < 65 }) { return nil }
        var rest = 0
        for character in characters[4...] + characters[..<4] {
            let value = Int(character) - (character >= 65 ? 55 : 48)
            rest = (rest * (value > 9 ? 100 : 10) + value) % 97
        }
        return rest == 1 ? end : nil
    }

    /// Countries whose account numbers hold digits alone.
    private static let ibanDigits: Set<String> = [
        "AE", "AT", "BA", "BE", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "GL", "HR", "HU", "IL", "IS", "LT", "ME",
        "NO",
        "PL", "PT", "RS", "SE", "SI", "SK", "TN", "VA", "XK",
    ]

    private static let ibanLengths: [String: Int] = [
        "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
        "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
        "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
        "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
        "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
        "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
        "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
        "XK": 20,
    ]

    /// The first two digits of GB/T 2260's regions.
    private static let provinces: Set<Int> = Set(
        Array(11...15) + Array(21...23) + Array(31...37) + Array(41...46) + Array(50...54) + Array(61...65) + [71]
            + Array(81...83))

    /// GB 11643-1999: eighteen characters, MOD 11-2 (ISO 7064), with a region and a date of birth.
    static func residentID(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 18, provinces.contains(number(bytes[..<2])) else { return false }
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
        let sum = zip(bytes, weights).reduce(0) { $0 + Int($1.0 &- 48) * $1.1 }
        let check = Array("10X98765432".utf8)[sum % 11]
        guard bytes[17] == check || bytes[17] == check + 32 else { return false }
        let (month, day) = (number(bytes[10..<12]), number(bytes[12..<14]))
        let days = month == 2 ? 29 : [4, 6, 9, 11].contains(month) ? 30 : 31
        return (1850...2100).contains(number(bytes[6..<10])) && (1...12).contains(month) && (1...days).contains(day)
    }

    /// GB 32100-2015: eighteen characters of an alphabet without I, O, S, V, Z, MOD 31-3; in it a region and the code of
    /// an organisation with a check digit of its own (GB 11714-1997, MOD 11).
    static func creditCode(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 18 else { return false }
        let region = number(bytes[2..<4])
        guard provinces.contains(region) || region == 10, organisationCode(bytes[8..<17]) else { return false }
        let alphabet = Array("0123456789ABCDEFGHJKLMNPQRTUWXY".utf8)
        let values = bytes.map { byte in alphabet.firstIndex(of: byte >= 97 ? byte - 32 : byte) }
        var sum = 0
        var weight = 1
        for value in values.prefix(17) {
            guard let value else { return false }
            sum += value * weight
            weight = weight * 3 % 31
        }
        return values[17] == (31 - sum % 31) % 31
    }

    private static func organisationCode(_ bytes: ArraySlice<UInt8>) -> Bool {
        let values = bytes.map { Int($0) - ($0 >= 97 ? 87 : $0 >= 65 ? 55 : 48) }
        let sum = zip(values, [3, 7, 9, 10, 5, 8, 4, 2]).reduce(0) { $0 + $1.0 * $1.1 }
        // 10 is written X, 11 as 0.
        let check = [11: 0, 10: 33][11 - sum % 11] ?? 11 - sum % 11
        return values.last == check
    }

    /// GS1's, of thirteen digits: bar codes and books.
    static func ean(_ digits: [Int]) -> Bool {
        digits.count == 13 && digits.enumerated().reduce(0) { $0 + $1.element * ($1.offset % 2 == 1 ? 3 : 1) } % 10 == 0
    }

    /// Whether digits are a power of two, or one less: a size, a limit.
    static func isRoundInBinary(_ bytes: [UInt8]) -> Bool {
        let digits = digits(bytes)
        guard digits.count < 20 else { return false }
        let number = digits.reduce(UInt64(0)) { $0 &* 10 &+ UInt64($1) }
        return number & (number &- 1) == 0 || number & (number &+ 1) == 0
    }

    /// Whether digits are a count of something: a multiple of a million or of 64 Ki.
    static func isRound(_ bytes: [UInt8]) -> Bool {
        let number = digits(bytes).suffix(15).reduce(0) { $0 * 10 + $1 }
        return number % 1_000_000 == 0 || number % 65_536 == 0
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { digits(Array(bytes)).reduce(0) { $0 * 10 + $1 } }

    static func digits(_ bytes: [UInt8]) -> [Int] {
        bytes.compactMap { (48...57).contains($0) ? Int($0) - 48 : nil }
    }
}
