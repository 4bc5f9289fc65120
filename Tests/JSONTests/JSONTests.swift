import Foundation
import JSON
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    private func failure(of text: String) -> JSONError? {
        do {
            _ = try parse(text)
            return nil
        } catch { return error as? JSONError }
    }

    @Test func `texts that are JSON are read`() throws {
        let value = try parse(
            #" { "a" : [ 1 , -2.5e+3 , true , false , null ] , "b" : { } , "\u00e9\n\"\ud83d\ude00" : "\/" , "c":[] } "#
        )
        #expect(value["a"]?.elements?.count == 5)
        #expect(value["b"]?.isEmpty == true)
        #expect(value["\u{e9}\n\"\u{1F600}"]?.text == "/")
        guard case .number(let number)? = value["a"]?.elements?[1] else {
            Issue.record("no number")
            return
        }
        #expect(number.double == -2_500 && number.text == "-2.5e+3")
    }

    @Test(arguments: [
        ("", "it is empty"), ("{", "a name in quotes"), ("[1,]", "a value is expected"), ("[1 2]", "',' or ']'"),
        (#"{"a" 1}"#, "':'"), (#"{"a":1,}"#, "a name in quotes"), ("[01]", "as JSON has it"), ("[1.]", "behind '.'"),
        ("[-]", "as JSON has it"), ("[1e]", "exponent"), ("[NaN]", "NaN is no JSON value"),
        ("[-Infinity]", "-Infinity"), ("[tru]", "a value is expected"), ("[\"\u{1}\"]", "control character"),
        (#"["\x"]"#, "escape"), (#"["\u12"]"#, "four hexadecimal digits"), (#"["\ud83d"]"#, "surrogate pair"),
        (#"["\ud83dx"]"#, "surrogate pair"), (#"["\ude00\ud83d"]"#, "surrogate pair"), ("[\"a", "within a string"),
        ("[] []", "more text"), ("['a']", "a value is expected"), (#"{"a":"#, "the text ends"),
    ])
    func `a text that is no JSON is refused where it stops being JSON`(text: String, what: String) throws {
        let error = try #require(failure(of: text))
        #expect(error.isSyntax && error.problem.contains(what), "\(error.problem)")
    }

    @Test func `an error names line, byte and member`() throws {
        let error = try #require(failure(of: "{\"messages\": [\n {\"content\": \"emoji \\ud83d\"}]}"))
        #expect(error.path.description == "messages[0].content")
        #expect(error.problem.contains("line 2"))
    }

    @Test func `bytes that are no UTF-8 are refused with their member`() {
        let bytes = Array(#"{"a": ""#.utf8) + [0xFF] + Array("\"}".utf8)
        do {
            _ = try JSONParser.parse(bytes)
            Issue.record("it was read")
        } catch { #expect(error.path.description == "a" && error.problem.contains("UTF-8")) }
    }

    @Test(
        arguments: [
            ([0xEF, 0xBB, 0xBF, 0x7B, 0x7D], "byte order mark"), ([0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], "UTF-16"),
            ([0x00, 0x7B, 0x00, 0x7D], "UTF-16"),
        ] as [([UInt8], String)])
    func `another encoding is told as one`(bytes: [UInt8], words: String) {
        do {
            _ = try JSONParser.parse(bytes)
            Issue.record("it was read")
        } catch { #expect(error.problem.contains(words)) }
    }

    @Test func `depth is bounded`() throws {
        let deep = JSONParser.depthLimit
        #expect(failure(of: String(repeating: "[", count: deep) + String(repeating: "]", count: deep)) == nil)
        #expect(failure(of: String(repeating: "[", count: 200_000))?.problem.contains("deeper") == true)
        #expect(failure(of: String(repeating: "{\"a\":", count: 200_000))?.problem.contains("deeper") == true)
    }

    /// Foundation's reader is the judge: whatever it takes and this one takes is the same value.
    @Test func `random values are read as Foundation reads them`() throws {
        var random = SystemRandomNumberGenerator()
        func value(_ depth: Int) -> Any {
            switch Int.random(in: 0..<(depth > 3 ? 4 : 6), using: &random) {
            case 0: return NSNull()
            case 1: return Bool.random(using: &random)
            case 2: return Int.random(in: -1_000_000...1_000_000, using: &random)
            case 3:
                return String(
                    String.UnicodeScalarView(
                        (0..<Int.random(in: 0..<8, using: &random)).compactMap { _ in
                            Unicode.Scalar(UInt32.random(in: 0...0x1_FFFF, using: &random))
                        }))
            case 4: return (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth + 1) }
            default:
                return Dictionary(
                    (0..<Int.random(in: 0..<40, using: &random)).map { ("k\($0)", value(depth + 1)) }
                ) { $1 }
            }
        }
        func isSame(_ own: JSONValue, _ other: Any) -> Bool {
            switch (own, other) {
            case (.null, is NSNull): return true
            case (.bool(let a), let b as Bool): return a == b
            case (.number(let a), let b as Int): return a.integer() == b
            case (.string(let a), let b as String): return Array(a.utf8) == Array(b.utf8)
            case (.array(let a), let b as [Any]): return a.count == b.count && zip(a, b).allSatisfy { isSame($0, $1) }
            case (.object(let a), let b as [String: Any]):
                return a.members.count == b.count
                    && b.allSatisfy { key, value in a[key].map { isSame($0, value) } ?? false }
            default: return false
            }
        }
        for _ in 0..<200 {
            let made = ["v": value(0)]
            let data = try JSONSerialization.data(withJSONObject: made)
            #expect(isSame(try JSONParser.parse([UInt8](data)), made), "\(String(decoding: data, as: UTF8.self))")
        }
    }

    // MARK: Reading as a type

    private struct Sample: Decodable, Equatable {
        struct Inner: Decodable, Equatable {
            var name: String
            var weight: Float?
        }
        var count: Int?
        var seed: Int64?
        var flag: Bool?
        var items: [Inner]?
        var table: [String: Float]?
        var ids: [Int32]?
    }

    @Test func `a value is read as a type`() throws {
        let text =
            #"{"count": 8.0, "seed": -9223372036854775808, "items": [{"name": "a", "weight": 1e-3}, {"name": "b", "weight": null}], "table": {"1": -100}, "ids": [1e2, 7], "unknown": {}}"#
        let sample: Sample = try parse(text).decode()
        #expect(
            sample
                == Sample(
                    count: 8, seed: .min, items: [.init(name: "a", weight: 1e-3), .init(name: "b")],
                    table: ["1": -100], ids: [100, 7]))
    }

    @Test(arguments: [
        (#"{"count": 8.5}"#, "count", "must be a whole number, not 8.5"),
        (#"{"count": "8"}"#, "count", "must be a whole number, not a string"),
        (#"{"seed": 9223372036854775808}"#, "seed", "is 9223372036854775808; it must lie in -9223372036854775808…"),
        (#"{"count": 1e30}"#, "count", "is 1e30; it must lie in"),
        (#"{"items": [{"name": "a", "weight": 1e999}]}"#, "items[0].weight", "too large"),
        (#"{"items": [{"name": "a"}, {}]}"#, "items[1].name", "is required"),
        (#"{"items": [{"name": null}]}"#, "items[0].name", "must be a string, not null"),
        (#"{"items": {"name": 1}}"#, "items", "must be a list, not an object"),
        (#"{"flag": 1}"#, "flag", "must be true or false, not 1"),
        (#"{"ids": [1, 4294967296]}"#, "ids[1]", "it must lie in -2147483648…2147483647"),
        (#"{"table": {"5": []}}"#, "table.5", "must be a number, not a list"),
    ])
    func `what does not fit is named with its bounds`(text: String, path: String, problem: String) throws {
        do {
            let sample: Sample = try parse(text).decode()
            Issue.record("it was read: \(sample)")
        } catch let error as JSONError {
            #expect(error.path.description == path)
            #expect(error.problem.contains(problem), "\(error.problem)")
        }
    }

    @Test func `large objects are read in proportion to their size`() throws {
        let members = (0..<100_000).map { "\"\($0)\":1" }.joined(separator: ",")
        let table: [String: Float] = try parse("{\(members)}").decode()
        #expect(table.count == 100_000)
    }
}
