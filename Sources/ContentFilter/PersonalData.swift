/// Patterns of what names a person or opens a door, in folded text.
enum PersonalData {
    /// Behind a number that counts something.
    private static let unit =
        #"(?! ?(?:%|字节|比特|毫秒|微秒|纳秒|个(?!人)|[条次元]|(?i:bytes?|bits?|[kmgt]i?b|[nmuμ]s|sec|seconds?|parameters?|params?|tokens?|rows?|records?|lines?|items?|times|users|steps|ohms?|hz|usd|dollars|euros?|yuan|rmb|px|added|removed)\b))"#

    static func detectors() throws -> [PatternDetector] {
        try [
            PatternDetector(
                "email", .email, score: 0.95,
                #"(?i)(?<![a-z0-9._%+-])[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,5}"#
                    // A call is code, unless it is a remark in brackets.
                    + #"(?:[a-z]{2,24}(?![a-z0-9(-])|(?:com|cn|net|org|edu|gov|info|io|me|co|uk|de|fr|jp|hk|tw)(?=\())"#,
                hinge: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-",
                proof: NetworkAddresses.isEmail),
            PatternDetector(
                "cn-mobile", .phone, score: 0.85,
                #"(?<![0-9A-Za-z.+-])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Za-z]|[.-][0-9]|_[0-9A-Za-z])"#
                    + unit, context: PhoneNumbers.isChineseMobile),
            PatternDetector(
                "international", .phone, score: 0.8,
                #"(?<![0-9A-Za-z+])\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,6}(?![0-9A-Za-z])"# + unit,
                context: PhoneNumbers.isInternational),
            PatternDetector(
                "north-american", .phone, score: 0.7,
                #"(?<![0-9A-Za-z.+-])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9A-Za-z]|[.-][0-9]|-[A-Za-z]|_[0-9A-Za-z])"#
                    + unit, context: PhoneNumbers.isNorthAmerican),
            PatternDetector(
                "cn-landline", .phone, score: 0.7,
                #"(?<![0-9A-Za-z.-])(?:\((?:010|02[0-9])\) ?[2-8][0-9]{7}|(?:010|02[0-9])-[2-8][0-9]{7}|\(0[3-9][0-9]{2}\) ?[2-8][0-9]{6,7}|0[3-9][0-9]{2}-[2-8][0-9]{6,7})(?![0-9A-Za-z-]|\.[0-9])"#,
                context: PhoneNumbers.isChineseLandline),
            PatternDetector(
                "card", .card, score: 1,
                #"(?<![0-9A-Za-z.+-])(?:[2-6][0-9]{12,18}|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5})(?![0-9A-Za-z]|[.-][0-9]|_[0-9A-Za-z])"#
                    // A fifth group that is neither a year nor a month of expiry makes it a row of numbers.
                    + #"(?! (?!20[2-4][0-9]|(?:0[1-9]|1[0-2])[2-4][0-9])[0-9]{4}(?![0-9]))"# + unit,
                context: CardNumbers.isCard),
            PatternDetector(
                "long-card", .card, score: 1,
                #"(?<![0-9A-Za-z.+-])(?:[4-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}|6[0-9]{5} [0-9]{13})(?![0-9A-Za-z]|[ .-][0-9]|_[0-9A-Za-z])"#,
                context: CardNumbers.isCard),
            PatternDetector(
                "iban", .iban, score: 1,
                #"(?i)(?<![0-9a-z])[a-z]{2}[0-9]{2}(?:[ -]?[0-9a-z]{4}){2,7}(?:[ -]?[0-9a-z]{1,3})?(?![0-9a-z])"#,
                cut: { match, _ in Checksums.iban(match) }),
            PatternDetector(
                "ipv4", .address, score: 0.7,
                #"(?<![0-9A-Za-z.])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:/[0-9]{1,2})?(?![0-9A-Za-z]|\.[0-9]|[+-][A-Za-z]|\.(?:tar|tgz|zip|gz|exe|dll|so|jar|whl|deb|rpm|msi|dmg|pkg|apk|html|js)\b)"#,
                context: NetworkAddresses.isIPv4),
            PatternDetector(
                "ipv6", .address, score: 0.7,
                #"(?i)(?<![0-9a-z.])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![0-9a-z:])"#,
                context: NetworkAddresses.isIPv6),
            PatternDetector(
                "resident-id", .residentID, score: 1,
                #"(?<![0-9A-Za-z.])[1-8][0-9]{5}(?:1[89]|20|21)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9A-Za-z])"#,
                proof: Checksums.residentID),
            PatternDetector(
                "credit-code", .creditCode, score: 1,
                #"(?i)(?<![0-9a-z])[1-9ANY][1239][0-9]{6}[0-9a-hj-npqrtuwxy]{10}(?![0-9a-z])"#,
                proof: Checksums.creditCode),
            PatternDetector(
                "key", .secret, score: 1,
                [
                    #"sk-(?:proj-|ant-[a-z0-9]{2,8}-|or-v1-|svcacct-)?[A-Za-z0-9_-]{20,200}"#,
                    #"(?:AKIA|ASIA)[0-9A-Z]{16}"#, #"gh[pousr]_[A-Za-z0-9]{36,100}"#,
                    #"github_pat_[A-Za-z0-9_]{22,100}"#, #"glpat-[A-Za-z0-9_-]{20,40}"#, #"hf_[A-Za-z0-9]{30,60}"#,
                    #"xox[abprs]-[A-Za-z0-9-]{10,100}"#, #"AIza[0-9A-Za-z_-]{35}"#, #"ya29\.[0-9A-Za-z_-]{20,200}"#,
                    #"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{16,100}"#, #"npm_[A-Za-z0-9]{36}"#,
                    #"pypi-[A-Za-z0-9_-]{50,200}"#, #"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"#,
                    #"LTAI[A-Za-z0-9]{12,24}"#, #"AKID[A-Za-z0-9]{13,40}"#,
                    #"eyJ[A-Za-z0-9_-]{10,120}\.eyJ[A-Za-z0-9_-]{10,200}\.[A-Za-z0-9_-]{20,120}"#,
                    #"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY-----"#,
                ].map { #"(?<![A-Za-z0-9_])"# + $0 }.joined(separator: "|"),
                proof: Secrets.isKey),
        ]
    }
}
