internal import CPCRE2

/// A compiled Perl-compatible pattern over UTF-8 bytes, with Unicode properties.
package final class RegularExpression: @unchecked Sendable {  // compiled code is immutable and reentrant
    /// A pattern that does not compile.
    package struct PatternError: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    private let code: OpaquePointer

    /// - Parameter isAnchored: whether a match begins where the search does, and nowhere else.
    /// - Throws: `PatternError` that says where and why the pattern is not valid.
    package init(_ pattern: String, isAnchored: Bool = false) throws {
        var errorCode: Int32 = 0
        var offset = 0
        let utf8 = Array(pattern.utf8)
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | (isAnchored ? UInt32(PCRE2_ANCHORED) : 0)
        let compiled = utf8.withUnsafeBufferPointer {
            pcre2_compile_8($0.baseAddress, $0.count, options, &errorCode, &offset, nil)
        }
        guard let compiled else {
            var message = [UInt8](repeating: 0, count: 256)
            pcre2_get_error_message_8(errorCode, &message, message.count)
            let text = String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
            throw PatternError(description: "regular expression \"\(pattern)\", at byte \(offset): \(text)")
        }
        code = compiled
        // Without just-in-time compilation matching is slower, not different.
        pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE) | UInt32(PCRE2_JIT_PARTIAL_HARD))
    }

    deinit { pcre2_code_free_8(code) }

    /// The leftmost matches in `bytes[range]`, in order, none overlapping another.
    ///
    /// - Parameters:
    ///   - bytes: valid UTF-8. A match that exceeds PCRE2's limits ends the search.
    ///   - includesEmpty: whether empty matches count, but those right behind a match.
    package func matches(in bytes: [UInt8], range: Range<Int>, includesEmpty: Bool = false) -> [Range<Int>] {
        guard let data = pcre2_match_data_create_8(1, nil) else { return [] }
        defer { pcre2_match_data_free_8(data) }
        var found: [Range<Int>] = []
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var position = range.lowerBound
            while position < range.upperBound {
                // The subject ends with the range; what precedes it stays visible to look-behind.
                var status = pcre2_match_8(
                    code, base, range.upperBound, position, UInt32(PCRE2_NO_UTF_CHECK), data, nil)
                if status == PCRE2_ERROR_JIT_STACKLIMIT {
                    // The interpreter has the heap for what the compiled code's small stack cannot hold.
                    status = pcre2_match_8(
                        code, base, range.upperBound, position, UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NO_JIT), data,
                        nil)
                }
                // 0 says that there was no room for the groups, which are not wanted.
                guard status >= 0, let offsets = pcre2_get_ovector_pointer_8(data) else { return }
                let (begin, end) = (offsets[0], offsets[1])
                if end > begin {
                    found.append(begin..<end)
                    position = end
                } else {
                    if includesEmpty, found.last?.upperBound != begin { found.append(begin..<begin) }
                    position = begin + 1
                    while position < range.upperBound, buffer[position] & 0xC0 == 0x80 { position += 1 }
                }
            }
        }
        return found
    }

    /// What a search in the beginning of a text finds.
    package enum Progress: Sendable, Equatable {
        case match(Range<Int>)
        /// What begins here could become a match, or a longer one, with more text.
        case partial(from: Int)
        case none
    }

    /// The leftmost match that begins at `start` or later. While more text may follow, whatever that text could still
    /// change is `.partial`: so the matches of a text do not depend on the pieces it comes in.
    ///
    /// - Parameter bytes: valid UTF-8; what precedes `start` stays visible to look-behind.
    package func search(in bytes: [UInt8], from start: Int, isWhole: Bool) -> Progress {
        guard start < bytes.count, let data = pcre2_match_data_create_8(1, nil) else { return .none }
        defer { pcre2_match_data_free_8(data) }
        let options = UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NOTEMPTY) | (isWhole ? 0 : UInt32(PCRE2_PARTIAL_HARD))
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return .none }
            let status = pcre2_match_8(code, base, buffer.count, start, options, data, nil)
            guard let offsets = pcre2_get_ovector_pointer_8(data) else { return .none }
            if status == PCRE2_ERROR_PARTIAL { return .partial(from: Int(offsets[0])) }
            return status >= 0 ? .match(Int(offsets[0])..<Int(offsets[1])) : .none
        }
    }

    /// The bytes that a match can begin with; nil where the pattern does not tell.
    package var firstBytes: [UInt8]? {
        var kind: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_FIRSTCODETYPE), &kind)
        if kind == 1 {
            // One byte, which may stand in either case.
            var byte: UInt32 = 0
            pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_FIRSTCODEUNIT), &byte)
            guard let byte = UInt8(exactly: byte), byte < 0x80 else { return nil }
            let letter = byte | 0x20
            return (0x61...0x7A).contains(letter) ? [letter, letter & 0xDF] : [byte]
        }
        var map: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_FIRSTBITMAP), &map)
        guard let map else { return nil }
        return (0...UInt8.max).filter { map[Int($0 >> 3)] >> ($0 & 7) & 1 == 1 }
    }

    /// Characters before a match that the pattern may look at.
    package var lookBehind: Int {
        var count: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_MAXLOOKBEHIND), &count)
        return Int(count)
    }
}
