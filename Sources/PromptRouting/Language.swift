/// A language as its script tells it: enough to choose a model or a preset by, and no more.
package enum Language: String, Sendable, CaseIterable {
    /// Chinese: Han characters without kana.
    case zh
    /// Latin letters, nearly all of them without marks.
    case en
    case ja, ko
    case other

    /// The language of most of a text's letters; nil for a text without any. Han counts twice, since a character says
    /// about as much as two letters do: `用 Swift 写一个函数` is Chinese.
    package init?(of text: some StringProtocol) {
        var (han, kana, hangul, latin, marked, rest) = (0, 0, 0, 0, 0, 0)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x41...0x5A, 0x61...0x7A: latin += 1
            case 0xC0...0x24F where scalar.properties.isAlphabetic: marked += 1
            case 0x3040...0x30FF, 0x31F0...0x31FF: kana += 1
            case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x3FFFF: han += 1
            case 0x1100...0x11FF, 0x3130...0x318F, 0xAC00...0xD7AF: hangul += 1
            default: if scalar.properties.isAlphabetic { rest += 1 }
            }
        }
        let east = (han + kana + hangul) * 2
        guard east + latin + marked + rest > 0 else { return nil }
        if east * 2 >= latin + marked + rest {
            self = hangul > han + kana ? .ko : kana * 8 > han + kana ? .ja : .zh
        } else {
            self = latin > 10 * marked && latin > rest ? .en : .other
        }
    }
}
