import Foundation

/// A moment of the local calendar, for `strftime_now`.
package struct LocalTime: Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    /// 0 for Sunday.
    package var weekday: Int
    package var dayOfYear: Int

    package init(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, weekday: Int, dayOfYear: Int
    ) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
        (self.weekday, self.dayOfYear) = (weekday, dayOfYear)
    }

    package static func now() -> LocalTime {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        let now = Date()
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .weekday], from: now)
        return LocalTime(
            year: parts.year ?? 1970, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0,
            minute: parts.minute ?? 0, second: parts.second ?? 0, weekday: (parts.weekday ?? 1) - 1,
            dayOfYear: calendar.ordinality(of: .day, in: .year, for: now) ?? 1)
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// `strftime` in the C locale.
    ///
    /// - Throws: `JinjaError.unsupported` for a directive that is not known here.
    func formatted(_ format: TrustedText) throws -> TrustedText {
        var result = TrustedText()
        var position = 0
        while position < format.count {
            guard format.scalars[position] == "%" else {
                result.append(format, position..<position + 1)
                position += 1
                continue
            }
            var next = position + 1
            let isUnpadded = next < format.count && format.scalars[next] == "-"
            if isUnpadded { next += 1 }
            guard next < format.count else {
                throw JinjaError(.unsupported, "strftime_now: a format that ends in % is not supported")
            }
            let trusted = format.isTrusted(at: next)
            result.append(try field(format.scalars[next], isUnpadded: isUnpadded), isTrusted: trusted)
            position = next + 1
        }
        return result
    }

    private func field(_ directive: Unicode.Scalar, isUnpadded: Bool) throws -> String {
        func padded(_ value: Int, _ width: Int = 2) -> String {
            let digits = "\(value)"
            return isUnpadded ? digits : String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let half = hour % 12 == 0 ? 12 : hour % 12
        switch directive {
        case "Y": return "\(year)"
        case "y": return padded(year % 100)
        case "m": return padded(month)
        case "d": return padded(day)
        case "e": return isUnpadded || day > 9 ? "\(day)" : " \(day)"
        case "H": return padded(hour)
        case "I": return padded(half)
        case "M": return padded(minute)
        case "S": return padded(second)
        case "j": return padded(dayOfYear, 3)
        case "p": return hour < 12 ? "AM" : "PM"
        case "B": return Self.months[month - 1]
        case "b", "h": return String(Self.months[month - 1].prefix(3))
        case "A": return Self.weekdays[weekday]
        case "a": return String(Self.weekdays[weekday].prefix(3))
        case "w": return "\(weekday)"
        case "u": return "\(weekday == 0 ? 7 : weekday)"
        case "F": return "\(year)-\(padded(month))-\(padded(day))"
        case "T": return "\(padded(hour)):\(padded(minute)):\(padded(second))"
        case "D": return "\(padded(month))/\(padded(day))/\(padded(year % 100))"
        case "R": return "\(padded(hour)):\(padded(minute))"
        case "n": return "\n"
        case "t": return "\t"
        case "%": return "%"
        case "z", "Z": return ""
        default:
            let name = directive.isASCII ? String(Character(directive)) : "…"
            throw JinjaError(.unsupported, "strftime_now: the directive %\(name) is not supported")
        }
    }
}
