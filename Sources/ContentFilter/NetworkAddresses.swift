/// Addresses of machines that somebody may sit at, and of mailboxes.
enum NetworkAddresses {
    // MARK: IPv4

    /// Networks that name nobody, as first address and length (RFC 6890, 5735): private, loopback, link-local,
    /// documentation, benchmarks, multicast, reserved.
    private static let nobody: [(UInt32, UInt32)] = [
        (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16), (0xAC10_0000, 12),
        (0xC000_0000, 24), (0xC000_0200, 24), (0xC0A8_0000, 16), (0xC612_0000, 15), (0xC633_6400, 24),
        (0xCB00_7100, 24), (0xE000_0000, 3),
        // Not networks, but the beginnings of X.509's object identifiers, 2.5.4 and 2.5.29.
        (0x0205_0400, 24), (0x0205_1D00, 24),
    ]
    /// Open resolvers, which stand in everybody's instructions.
    private static let resolvers: Set<UInt32> = [
        0x0808_0808, 0x0808_0404, 0x0101_0101, 0x0100_0001, 0x0909_0909, 0x9570_7070, 0xD043_DEDE, 0xD043_DCDC,
        0x7272_7272, 0x7272_7373, 0xDF05_0505, 0xDF06_0606, 0x771D_1D1D, 0xB44C_4C4C,
    ]

    /// - Parameter match: four numbers with points, and the `/` and length behind them where there is one.
    static func isIPv4(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        let halves = match.split(separator: 0x2F)
        let parts = halves[0].split(separator: 0x2E).map { Checksums.digits(Array($0)).reduce(0) { $0 * 10 + $1 } }
        let address = parts.reduce(UInt32(0)) { $0 << 8 | UInt32(truncatingIfNeeded: $1) }
        // Four digits are a version or a section, far more often.
        guard parts.count == 4, parts.contains(where: { $0 > 9 }), !resolvers.contains(address) else { return false }
        if nobody.contains(where: { (address ^ $0.0) >> (32 - $0.1) == 0 }) { return false }
        if halves.count > 1 {
            // A network.
            let length = Checksums.digits(Array(halves[1])).reduce(0) { $0 * 10 + $1 }
            if length < 31, address << UInt32(length) == 0 { return false }
        }
        return !isVersion(before)
    }

    private static func isVersion(_ before: PrecedingText) -> Bool {
        if before.names(NumberNames.version, ratherThan: NumberNames.address) || before.calls(NumberNames.section) {
            return true
        }
        let bytes = before.bytes
        guard let last = bytes.last else { return false }
        let letter = bytes.dropLast().last.map { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) } ?? false
        switch last {
        // `openssl-1.1.10.2`, `tool_1.2.30.4`, `Browser/12.0.30.4`; a second slash makes it a URL.
        case 0x2D: return bytes.dropLast().last.map { (0x61...0x7A).contains($0) } ?? false
        case 0x5F, 0x2F: return letter
        // `package==1.2.30.4`; `ip.addr==` is asked for an address.
        case 0x3D:
            let isComparison = bytes.dropLast().last.map { [0x3D, 0x3E, 0x3C, 0x7E].contains($0) } ?? false
            return isComparison && !before.names(NumberNames.address)
        default: return false
        }
    }

    // MARK: IPv6

    /// Global, link-local and local addresses; not `A::B`, and not what stands in documentation.
    static func isIPv6(_ match: [UInt8], _ before: PrecedingText) -> Bool {
        if before.bytes.last == 0x3A {
            // `address:` goes before one, `2001:` and `std::` belong to what goes on.
            let word = before.bytes.dropLast().reversed().prefix {
                (48...57).contains($0) || (97...122).contains($0) || $0 >= 0x80
            }
            if word.isEmpty || word.count <= 4 && word.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
            {
                return false
            }
        }
        let text = String(decoding: match, as: UTF8.self).lowercased()
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = groups.first, first.utf8.count == 4, let prefix = UInt16(first, radix: 16),
            text.utf8.contains(where: { (48...57).contains($0) })
        else { return false }
        let second = groups.count > 1 ? UInt16(groups[1], radix: 16) ?? 0 : 0
        // 2001:db8::/32 (RFC 3849), 3fff::/20 (RFC 9637)
        if prefix == 0x2001 && second == 0xDB8 || prefix == 0x3FFF && second < 0x1000 { return false }
        return prefix >> 13 == 1 || prefix >> 6 == 0xFE80 >> 6 || prefix >> 9 == 0xFC00 >> 9
    }

    // MARK: E-mail

    /// Names of files, units and packages; none of them is a top-level domain.
    private static let notDomains: Set<String> = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "tif", "tiff", "psd", "css", "scss", "less",
        "js",
        "mjs", "cjs", "jsx", "ts", "tsx", "json", "map", "html", "htm", "xml", "yaml", "yml", "toml", "txt", "pdf",
        "csv",
        "tsv", "tgz", "gz", "xz", "zst", "tar", "rar", "whl", "jar", "war", "deb", "rpm", "exe", "dll", "dylib",

        "lock", "conf", "cfg", "ini", "log", "java", "class", "cpp", "hpp", "swift", "kt", "php", "vue", "svelte", "go",
        "rb",
        "wasm", "woff", "ttf", "otf", "mp3", "mp4", "wav", "plist", "xib", "nib", "storyboard", "service",
        "socket",
        "timer", "mount", "target", "slice", "scope", "md5", "sha", "sql", "db", "bak", "tmp", "git", "gguf",
        "safetensors",
    ]
    /// Who is meant when nobody is, at the domains of RFC 2606.
    private static let anybody: Set<String> = [
        "user", "username", "you", "your", "yourname", "your.name", "your_name", "your-name", "youremail", "your.email",
        "name",
        "email", "e-mail", "mail", "test", "testing", "example", "someone", "somebody", "anyone", "foo", "bar", "baz",
        "foo.bar", "nobody", "noreply", "no-reply", "admin", "info", "me", "abc", "xxx", "sender", "recipient", "to",
    ]
    /// Accounts of servers that hold code.
    private static let services: Set<String> = ["git", "hg", "svn", "gitea", "gitlab", "aur"]

    static func isEmail(_ match: [UInt8]) -> Bool {
        let halves = String(decoding: match, as: UTF8.self).split(separator: "@", maxSplits: 1)
        guard halves.count == 2 else { return false }
        let (name, host) = (halves[0].lowercased(), halves[1].lowercased())
        let labels = host.split(separator: ".")
        guard let last = labels.last, !services.contains(name), !notDomains.contains(String(last)) else { return false }
        // `x.toString`: code.
        if let end = halves[1].split(separator: ".").last, isCamelCase(end) { return false }
        // `react@18.2.rc`, `pkg@v1.2.beta`, `logo@2x.png`, `icon@1.5x.page`
        let version = (labels[0].first == "v" ? labels[0].dropFirst() : labels[0]).utf8
        let next = labels.dropFirst().first?.utf8
        if !version.isEmpty, version.allSatisfy({ (48...57).contains($0) }),
            next?.first.map({ (48...57).contains($0) }) == true
        {
            return false
        }
        if labels[0].utf8.count <= 2, labels[0].hasSuffix("x"),
            labels[0].utf8.first.map({ (48...57).contains($0) }) == true
        {
            return false
        }
        let isReserved =
            ["example", "test", "invalid", "localhost"].contains(last)
            || ["example.com", "example.org", "example.net"].contains { host == $0 || host.hasSuffix("." + $0) }
        return !(isReserved && anybody.contains(name))
    }

    private static func isCamelCase(_ label: Substring) -> Bool {
        let bytes = Array(label.utf8)
        return zip(bytes, bytes.dropFirst()).contains { (97...122).contains($0) && (65...90).contains($1) }
    }
}
