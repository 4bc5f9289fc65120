/// The formats of texts that are enforced, each as a regular expression of the whole text.
enum TextFormats {
    /// - Returns: nil for a format that is not known here.
    static func pattern(_ name: String) -> String? {
        if anyText.contains(name) { return "[^]*" }
        return patterns[name]
    }

    /// Formats that say how a text is shown or used, and nothing of its characters.
    private static let anyText: Set<String> = [
        "password", "binary", "path", "file-path", "directory-path", "textarea", "markdown", "html", "text", "string",
    ]

    /// Formats of numbers, with the bounds of whole ones.
    static let numbers: [String: (low: String, high: String)?] = [
        "int8": ("-128", "127"), "int16": ("-32768", "32767"), "int32": ("-2147483648", "2147483647"),
        "int64": ("-9223372036854775808", "9223372036854775807"), "uint8": ("0", "255"), "uint16": ("0", "65535"),
        "uint32": ("0", "4294967295"), "uint64": ("0", "18446744073709551615"),
        "float": nil, "double": nil, "decimal": nil, "number": nil,
    ]

    // RFC 3339, section 5.6; years from 0001 on, and days that there are.
    private static let year = "(?:000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})"
    private static let leapYear =
        "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
    private static let date =
        "(?:\(year)-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)"
        + "|02-(?:0[1-9]|1\\d|2[0-8]))|\(leapYear)-02-29)"
    private static let time =
        "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[zZ]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
    // ISO 8601, as RFC 3339's appendix A has it, with fractions of seconds.
    private static let dayTime =
        "T(?:\\d+H(?:\\d+M(?:\\d+(?:\\.\\d+)?S)?)?|\\d+M(?:\\d+(?:\\.\\d+)?S)?|\\d+(?:\\.\\d+)?S)"
    private static let duration =
        "P(?:\\d+W|(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)(?:\(dayTime))?|\(dayTime))"
    // RFC 5321 and 5322's dot-atom; RFC 1123.
    private static let atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    private static let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    private static let wideAtom = "[^\\x00-\\x20\"(),.:;<>@\\[\\\\\\]\\x7f]+"
    private static let wideLabel =
        "[A-Za-z0-9\\u0080-\\u{10ffff}](?:[A-Za-z0-9\\u0080-\\u{10ffff}-]{0,61}[A-Za-z0-9\\u0080-\\u{10ffff}])?"
    // RFC 2673, section 3.2; RFC 4291, section 2.2.
    private static let byte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
    private static let ipv4 = "\(byte)\\.\(byte)\\.\(byte)\\.\(byte)"
    private static let group = "[0-9A-Fa-f]{1,4}"
    private static let lastGroups = "(?:\(group):\(group)|\(ipv4))"
    private static let ipv6 =
        "(?:(?:\(group):){6}\(lastGroups)|::(?:\(group):){5}\(lastGroups)|(?:\(group))?::(?:\(group):){4}\(lastGroups)"
        + "|(?:(?:\(group):){0,1}\(group))?::(?:\(group):){3}\(lastGroups)"
        + "|(?:(?:\(group):){0,2}\(group))?::(?:\(group):){2}\(lastGroups)"
        + "|(?:(?:\(group):){0,3}\(group))?::\(group):\(lastGroups)|(?:(?:\(group):){0,4}\(group))?::\(lastGroups)"
        + "|(?:(?:\(group):){0,5}\(group))?::\(group)|(?:(?:\(group):){0,6}\(group))?::)"

    /// RFC 3986's grammar; RFC 3987's where `wide` holds what it allows besides.
    private static func uri(wide: String) -> (absolute: String, reference: String) {
        let escaped = "%[0-9A-Fa-f]{2}"
        let unreserved = "-A-Za-z0-9._~\(wide)"
        let character = "(?:[\(unreserved)!$&'()*+,;=:@]|\(escaped))"
        let scheme = "[A-Za-z][A-Za-z0-9+.-]*"
        let host =
            "(?:\\[(?:\(ipv6)|[vV][0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]|(?:[\(unreserved)!$&'()*+,;=]|\(escaped))*)"
        let authority = "(?:(?:[\(unreserved)!$&'()*+,;=:]|\(escaped))*@)?\(host)(?::\\d*)?"
        let rest = "(?:\\?(?:\(character)|[/?])*)?(?:#(?:\(character)|[/?])*)?"
        let absolute =
            "\(scheme):(?://\(authority)(?:/\(character)*)*|/(?:\(character)+(?:/\(character)*)*)?"
            + "|\(character)+(?:/\(character)*)*|)\(rest)"
        let first = "(?:[\(unreserved)!$&'()*+,;=@]|\(escaped))+"
        let relative =
            "(?://\(authority)(?:/\(character)*)*|/(?:\(character)+(?:/\(character)*)*)?|\(first)(?:/\(character)*)*|)\(rest)"
        return (absolute, "(?:\(absolute)|\(relative))")
    }
    private static let ascii = uri(wide: "")
    private static let international = uri(wide: "\\u00a0-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\uffef\\u{10000}-\\u{efffd}")

    private static let patterns: [String: String] = [
        "date": date, "time": time, "date-time": "\(date)[tT]\(time)", "duration": duration,
        "email": "\(atom)(?:\\.\(atom))*@\(label)(?:\\.\(label))*",
        "idn-email": "\(wideAtom)(?:\\.\(wideAtom))*@\(wideLabel)(?:\\.\(wideLabel))*",
        "hostname": "\(label)(?:\\.\(label))*", "idn-hostname": "\(wideLabel)(?:\\.\(wideLabel))*",
        "ipv4": ipv4, "ipv6": ipv6,
        "uuid": "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        "uri": ascii.absolute, "uri-reference": ascii.reference,
        "iri": international.absolute, "iri-reference": international.reference,
        // RFC 6570, section 2.
        "uri-template":
            "(?:[^\\x00-\\x20\"'%<>\\\\^`{|}]|%[0-9A-Fa-f]{2}|\\{[+#./;?&=,!@|]?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(?::[1-9]\\d{0,3}|\\*)?(?:,(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(?::[1-9]\\d{0,3}|\\*)?)*\\})*",
        // RFC 6901, section 3.
        "json-pointer": "(?:/(?:[^~/]|~[01])*)*",
        "relative-json-pointer": "(?:0|[1-9]\\d*)(?:#|(?:/(?:[^~/]|~[01])*)*)",
        "byte": "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
        "base64": "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
        "base64url": "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?",
    ]
}
