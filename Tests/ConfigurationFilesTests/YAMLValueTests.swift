import ConfigurationFiles
import Foundation
import Testing

private enum Color: String, CaseIterable { case red, green }

@Suite struct YAMLValueTests {
    private func value(_ text: String) throws -> YAMLValue {
        try #require(try YAMLValue.parse(text, file: "test.yaml"))
    }

    /// The field `x` of a document.
    private func field(_ text: String) throws -> YAMLValue {
        try #require(try value(text).fields(["x"])["x"])
    }

    private func expectError(
        _ message: String, line: Int, column: Int, _ body: () throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) { try body() }
        #expect(
            error?.line == line && error?.column == column && error?.file == "test.yaml"
                && error?.message.contains(message) == true, "\(error.map { "\($0)" } ?? "")",
            sourceLocation: sourceLocation)
    }

    @Test func `values are read as what they are asked for`() throws {
        #expect(try field("x: 12").string() == "12" && field("x: 12").int(0...20) == 12)
        #expect(try field("x: 0.5").number(0...1) == 0.5 && field("x: 明月").string() == "明月")
        let color: Color = try field("x: green").choice()
        #expect(color == .green)
        #expect(try field("x: [a, b]").list().map { try $0.string() } == ["a", "b"])
        #expect(try field("x: [a, b]").oneOrMany().count == 2 && field("x: a").oneOrMany().count == 1)
        let entries = try field("x: {b: 1, a: 2}").entries()
        #expect(try entries.map { try $0.name.string() } == ["b", "a"])
        #expect(try field("x: |\n  two\n  lines\n").string() == "two\nlines\n")
    }

    @Test func `a value knows its place and whether it is empty`() throws {
        #expect(try field("x: 1").place == "test.yaml:1:4")
        for (text, isEmpty) in [("x:", true), ("x: null", true), ("x: ~", true), ("x: ''", false), ("x: []", false)] {
            #expect(try field(text).isEmpty == isEmpty, "\(text)")
        }
        #expect(try field("x: 1").isScalar && !field("x: [1]").isScalar && !field("x: {a: 1}").isScalar)
    }

    @Test func `a document without anything in it is nil`() throws {
        for text in ["", "\n", "# a comment\n"] {
            #expect(try YAMLValue.parse(text, file: "test.yaml") == nil, "\(text)")
        }
    }

    @Test func `what is wrong is told with line and column`() {
        expectError("'30' is not a whole number of 0 to 20", line: 2, column: 4) {
            _ = try field("\nx: 30").int(0...20)
        }
        expectError("'1.5' is not a whole number", line: 1, column: 4) { _ = try field("x: 1.5").int(0...20) }
        expectError("'nan' is not a number of 0.0 to 1.0", line: 1, column: 4) { _ = try field("x: nan").number(0...1) }
        expectError("'blue' is none of red, green", line: 1, column: 4) { let _: Color = try field("x: blue").choice() }
        expectError("a list is expected here", line: 1, column: 4) { _ = try field("x: 1").list() }
        expectError("a number is expected here", line: 1, column: 4) { _ = try field("x: [1]").int(0...1) }
        expectError("names and values", line: 1, column: 4) { _ = try field("x: 1").entries() }
        expectError("'y' is not known here", line: 2, column: 1) { _ = try value("x: 1\ny: 2").fields(["x"]) }
        expectError("did you mean 'routes'?", line: 1, column: 1) {
            _ = try value("rotues: 1").fields(["filter", "routes"], suggesting: true)
        }
    }

    @Test func `what is no YAML is told with its line`() {
        for text in ["x: [1", "x: {", "x: 'open", "\tx: 1", "x: 1\n y: 2: 3", "a: &a [*a", "%"] {
            let error = #expect(throws: ConfigurationError.self, "\(text)") {
                _ = try YAMLValue.parse(text, file: "test.yaml")
            }
            #expect(error?.file == "test.yaml" && error?.line ?? 0 > 0, "\(text)")
        }
        #expect(throws: ConfigurationError.self) { try YAMLValue.parse("x: 1\nx: 2", file: "test.yaml") }
    }

    @Test func `a file is text of at most 1 MiB`() throws {
        let path = FileManager.default.temporaryDirectory.path + "/nephele-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func expectRefused(_ message: String) {
            let error = #expect(throws: ConfigurationError.self) { try YAMLValue.text(of: path) }
            #expect(error?.message.contains(message) == true && error?.file == path && error?.line == 0)
        }
        expectRefused("cannot be read")
        try Data([0x78, 0x3A, 0xFF]).write(to: URL(fileURLWithPath: path))
        expectRefused("not UTF-8")
        try Data(repeating: 0x20, count: 1 << 20 + 1).write(to: URL(fileURLWithPath: path))
        expectRefused("larger than 1 MiB")
        try Data("x: 1".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try YAMLValue.text(of: path) == "x: 1")
    }
}

@Suite struct SpellingTests {
    @Test(arguments: [
        ("prot", "port"), ("precison", "precision"), ("cache_dir", "cache-dir"), ("modle", "model"), ("ports", "port"),
    ]) func `a name that is nearly another one is found`(name: String, known: String) {
        #expect(
            Spelling.nearest(to: name, among: ["port", "precision", "cache-dir", "model", "largest-side"]) == known)
    }

    @Test(arguments: ["", "x", "speculate", "pppp"]) func `a name that is like no other one finds none`(name: String) {
        #expect(Spelling.nearest(to: name, among: ["port", "precision", "cache-dir", "model"]) == nil)
        #expect(Spelling.nearest(to: name, among: []) == nil)
    }
}

@Suite struct YAMLDocumentTests {
    @Test func `a document becomes JSON, without the fields that are there to be merged`() throws {
        let json = try YAMLDocument.json("b: [1, true, x/y]\nx-base: &a {n: 1}\na: {<<: *a}\n", file: "test.yaml")
        #expect(String(decoding: json, as: UTF8.self) == #"{"a":{"n":1},"b":[1,true,"x/y"]}"#)
    }

    @Test(arguments: ["- 1", "7", "x: ["]) func `what is no object is refused`(text: String) {
        #expect(throws: ConfigurationError.self) { try YAMLDocument.json(text, file: "test.yaml") }
    }
}
