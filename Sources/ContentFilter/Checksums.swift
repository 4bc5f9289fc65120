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
    static func iban(_ bytes: [UInt8]) -> Bool {
        let characters = bytes.filter { $0 != 0x20 && $0 != 0x2D }.map { $0 >= 97 ? $0 - 32 : $0 }
        guard (15...34).contains(characters.count) else { return false }
        let country = String(decoding: characters.prefix(2), as: UTF8.self)
        if let length = ibanLengths[country], length != characters.count { return false }
        guard ibanLengths[country] != nil else { return false }
        var rest = 0
        for character in characters[4...] + characters[..<4] {
            let value = Int(character) - (character >= 65 ? 55 : 48)
            rest = (rest * (value > 9 ? 100 : 10) + value) % 97
        }
        return rest == 1
    }

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

    /// GB 11643-1999: eighteen characters, MOD 11-2 (ISO 7064), with a date of birth.
    static func residentID(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 18 else { return false }
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
        let sum = zip(bytes, weights).reduce(0) { $0 + Int($1.0 &- 48) * $1.1 }
        let check = Array("10X98765432".utf8)[sum % 11]
        guard bytes[17] == check || bytes[17] == check + 32 else { return false }
        let numbers = digits(Array(bytes[6..<14]))
        let year = numbers[..<4].reduce(0) { $0 * 10 + $1 }
        return (1850...2100).contains(year)
    }

    /// GB 32100-2015: eighteen characters of an alphabet without I, O, S, V, Z, MOD 31-3.
    static func creditCode(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 18 else { return false }
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

    static func digits(_ bytes: [UInt8]) -> [Int] {
        bytes.compactMap { (48...57).contains($0) ? Int($0) - 48 : nil }
    }
}
