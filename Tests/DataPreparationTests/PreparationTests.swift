import Compression
import ContentFilter
import Foundation
import JSON
import Testing

@testable import DataPreparation

/// Runs over files.
struct PreparationTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func options(_ inputs: String...) -> Preparation.Options {
        var options = Preparation.Options(inputs: inputs, output: folder.path + "/out")
        options.nearness = nil
        return options
    }

    private func lines(_ name: String) throws -> [JSONValue] {
        try folder.read("out/" + name).split(separator: "\n").map { try JSONParser.parse(Array($0.utf8)) }
    }

    private func removed(_ report: PreparationReport) -> [String: Int] {
        var counts: [String: Int] = [:]
        for step in report.steps {
            for reason in step.removed { counts[step.step + ": " + reason.reason] = reason.records }
        }
        return counts
    }

    private static func english(_ seed: Int, _ count: Int = 40) -> String {
        (0..<count).map { "word\((seed &* 7_919 &+ $0 &* $0 &* 31) % 5_003)" }.joined(separator: " ")
    }

    @Test("Every form of TRL's and OpenAI's comes out as it went in")
    func forms() throws {
        let forms = [
            #"{"text":"the moon"}"#,
            #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","weight":0}],"tools":[]}"#,
            #"{"prompt":"p"}"#, #"{"prompt":"p","completion":"c"}"#,
            #"{"prompt":[{"role":"user","content":[{"type":"text","text":"p"}]}],"completion":"c","label":true}"#,
            #"{"prompt":"p","chosen":"c","rejected":"r"}"#, #"{"chosen":"c","rejected":"r"}"#,
            #"{"input":{"messages":[{"role":"user","content":"q"}]},"preferred_output":[{"role":"assistant","content":"a"}],"non_preferred_output":[{"role":"assistant","content":"b"}]}"#,
        ]
        for (place, line) in forms.enumerated() {
            var options = options(try folder.write("in.jsonl", line + "\n"))
            options.output += "\(place)"
            let report = try Preparation(options).run()
            #expect(report.form == DataRecord.Form.allCases[place])
            #expect(try folder.read("out\(place)/train.jsonl") == line + "\n")
        }
    }

    @Test("Lines that cannot be read are named with their numbers, or left out")
    func brokenLines() throws {
        let input = try folder.write(
            "in.jsonl",
            Array("{\"text\": \"one\"}\n\n{\"text\": 7}\n[1]\n{\"other\": 1}\nno json\n{\"text\": \"".utf8) + [0xFF]
                + Array("\"}\n{\"prompt\": \"p\"}\n".utf8))
        var options = options(input)
        let error = #expect(throws: DataError.self) { try Preparation(options).run() }
        for part in [
            "in.jsonl:3: \"text\" must be a text, not 7", "in.jsonl:4: must be a JSON object", "in.jsonl:5: is no form",
        ] {
            #expect(error?.message.contains(part) == true, "\(part) in \(error?.message ?? "")")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/out"))
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/out.partial"))
        options.skipsBroken = true
        let report = try Preparation(options).run()
        #expect(removed(report) == ["read: a line that cannot be read": 6])
        #expect(report.train.records == 1)
        #expect(report.steps[0].removed[0].examples.first == input + ":3")
    }

    @Test("Names of fields are told without what a terminal would obey")
    func fieldNames() throws {
        let input = try folder.write("in.jsonl", #"{"\u001b[2J\u202eevil":1,"other":2}"# + "\n")
        let error = #expect(throws: DataError.self) { try Preparation(options(input)).run() }
        #expect(error?.message.contains("\"·[2J·evil\"") == true)
    }

    @Test("Random changes of bytes end in a report or an error, plain and packed", arguments: [0, 1])
    func changedBytes(packed: Int) throws {
        let lines = #"{"text":"one"}"# + "\n" + #"{"text":"明月 moon \u00e9","x":[1,{"y":null}]}"# + "\n"
        let packedLines: [UInt8] = [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xAB, 0x56, 0x2A, 0x49, 0xAD, 0x28, 0x51, 0xB2,
            0x52, 0x50, 0x7A, 0x36, 0xA3, 0xEF, 0xD9, 0x9C, 0x0E, 0xA5, 0x5A, 0x2E, 0x00, 0x84, 0xD9, 0xF2, 0x0E, 0x13,
            0x00, 0x00, 0x00,
        ]
        let whole = packed == 1 ? packedLines : Array(lines.utf8)
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var outcomes = (read: 0, refused: 0)
        for round in 0..<120 {
            var bytes = whole
            for _ in 0...next(3) { bytes[next(bytes.count)] = UInt8(next(256)) }
            if next(4) == 0 { bytes = Array(bytes.prefix(next(bytes.count))) }
            var options = options(try folder.write("f.jsonl", bytes))
            (options.output, options.skipsBroken) = (folder.path + "/f\(round)", round % 2 == 0)
            do throws(DataError) {
                _ = try Preparation(options).run()
                outcomes.read += 1
            } catch { outcomes.refused += 1 }
        }
        #expect(outcomes.read > 0 && outcomes.refused > 0)
    }

    @Test("A text is cut at blank lines or at the file's end; gzip is read as what it holds")
    func texts() throws {
        let input = try folder.write("in.txt", "\u{FEFF}one\r\ntwo\r\n\r\n \n三\n四\n")
        _ = try Preparation(options(input)).run()
        #expect(try folder.read("out/train.jsonl") == "{\"text\":\"one\\u000atwo\"}\n{\"text\":\"三\\u000a四\"}\n")
        var whole = options(input)
        (whole.documents, whole.output) = (.files, folder.path + "/whole")
        #expect(try Preparation(whole).run().read.records == 1)
        // printf '{"text": "明月"}\n' | gzip -n9
        let packed: [UInt8] = [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xAB, 0x56, 0x2A, 0x49, 0xAD, 0x28, 0x51, 0xB2,
            0x52, 0x50, 0x7A, 0x36, 0xA3, 0xEF, 0xD9, 0x9C, 0x0E, 0xA5, 0x5A, 0x2E, 0x00, 0x84, 0xD9, 0xF2, 0x0E, 0x13,
            0x00, 0x00, 0x00,
        ]
        var compressed = options(try folder.write("in.jsonl.gz", packed))
        compressed.output = folder.path + "/packed"
        _ = try Preparation(compressed).run()
        #expect(try folder.read("packed/train.jsonl") == "{\"text\":\"明月\"}\n")
        let cut = try folder.write("cut.jsonl.gz", Array(packed.dropLast(8)))
        #expect(throws: DataError.self) { try Preparation(options(cut)).run() }
    }

    @Test("What is not read is refused by name", arguments: ["x.parquet", "x.csv", "x.jsonl.zst", "missing.txt"])
    func refused(name: String) throws {
        if name != "missing.txt" { try folder.write(name, [0x50, 0x41, 0x52, 0x31]) }
        let error = #expect(throws: DataError.self) { try Preparation(options(folder.path + "/" + name)).run() }
        #expect(error?.message.contains(name) == true)
    }

    @Test("Exact and near duplicates go, the first of them stays, in English and Chinese")
    func duplicates() throws {
        let base = Self.english(1, 80)
        let near = base.split(separator: " ").enumerated().map { $0 == 70 ? "another" : $1 }.joined(separator: " ")
        #expect(near != base)
        let chinese = String(String.UnicodeScalarView((0..<120).compactMap { Unicode.Scalar(0x4E00 + 53 * $0) }))
        let nearChinese = chinese.dropLast(2) + "明月"
        let texts = [
            base, Self.english(2, 80), base, near, base.uppercased(), chinese, String(nearChinese), Self.english(3),
        ]
        let input = try folder.write("in.txt", texts.joined(separator: "\n\n"))
        var options = options(input)
        options.nearness = .init()
        let report = try Preparation(options).run()
        #expect(removed(report) == ["exact: the same as one before": 1, "near: near one before": 3])
        #expect(
            report.steps.first { $0.step == "near" }?.removed.first?.examples == [7, 9, 13].map { "\(input):\($0)" })
        #expect(try lines("train.jsonl").compactMap { $0["text"]?.text } == [base, texts[1], chinese, texts[7]])
    }

    @Test("Documents with thirteen words of an evaluation's text go, whatever their case and marks")
    func evaluationTexts() throws {
        let test = (1...20).map { "Test\($0)" }.joined(separator: ", ")
        let run = (3...15).map { "test\($0)" }.joined(separator: " ")
        let short = (3...14).map { "test\($0)" }.joined(separator: " ")
        let evaluation = try folder.write("test.jsonl", "{\"prompt\": \"\(test)\", \"completion\": \"too short\"}\n")
        let chinese = try folder.write("test.txt", "不知天上宫阙今夕是何年我欲乘风归去\n")
        let input = try folder.write(
            "in.txt", ["a \(run) b", "a \(short) b", "曰：不知天上宫阙，今夕是何年；我欲乘风。", "不知天上宫阙，今夕是"].joined(separator: "\n\n"))
        var options = options(input)
        options.exclude = [evaluation, chinese]
        let report = try Preparation(options).run()
        #expect(removed(report) == ["exclude: a run of words of a text that a model is judged by": 2])
        #expect(report.train.records == 2)
        #expect(report.notes.contains { $0.hasPrefix("1 of 3 texts") })
    }

    @Test(
        "Personal data is redacted or drops its record; what is found in no text drops it; no report says what stood there"
    )
    func personalData() throws {
        let call =
            #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{\"to\":\"bob@corp.example.org\"}"}}]}]}"#
        let input = try folder.write(
            "in.jsonl",
            #"{"messages":[{"role":"user","content":"mail bob.smith@corp.example.org or 13800138000"},{"role":"assistant","content":"ok"}]}"#
                + "\n" + call + "\n"
                + #"{"messages":[{"role":"user","content":"fine"},{"role":"assistant","content":"ok"}]}"# + "\n")
        var options = options(input)
        options.policy = FilterPolicy(
            name: "test", rules: [.init("personal", ["personal/*"], threshold: 0.8, action: .redact)])
        let report = try Preparation(options).run()
        let first = try #require(try lines("train.jsonl").first)
        #expect(first["messages"]?.elements?[0]["content"]?.text == "mail [redacted] or [redacted]")
        #expect(removed(report) == ["filter: personal, in a field that is no text: personal/email": 1])
        #expect(report.train.records == 2)
        let told = try folder.read("out/report.json") + folder.read("out/report.txt")
        #expect(!told.contains("bob") && !told.contains("1380"))
        options.policy?.rules[0].action = .block
        options.output = folder.path + "/strict"
        #expect(try Preparation(options).run().train.records == 1)
    }

    @Test("The split goes by the prompt: it does not change with what else is there, and one prompt is on one side")
    func split() throws {
        let records = (0..<400).map {
            "{\"prompt\":\"question \($0 / 2)\",\"completion\":\"answer \($0)\",\"label\":true}"
        }
        var all = options(try folder.write("in.jsonl", records.joined(separator: "\n")))
        all.heldOut = 0.2
        let report = try Preparation(all).run()
        let held = try Set(folder.read("out/held-out.jsonl").split(separator: "\n"))
        let trained = try Set(folder.read("out/train.jsonl").split(separator: "\n"))
        #expect(held.count + trained.count == 400 && report.heldOut?.records == held.count)
        #expect((40...120).contains(held.count))
        func prompts(_ lines: Set<Substring>) -> Set<Substring> { Set(lines.map { $0.prefix { $0 != "," } }) }
        #expect(prompts(held).isDisjoint(with: prompts(trained)))
        var some = options(try folder.write("some.jsonl", records.reversed().prefix(90).joined(separator: "\n")))
        (some.heldOut, some.output) = (0.2, folder.path + "/some")
        _ = try Preparation(some).run()
        #expect(try Set(folder.read("some/held-out.jsonl").split(separator: "\n")).isSubset(of: held))
    }

    @Test("The same bytes for any number of threads")
    func threads() throws {
        let texts = (0..<300).map { Self.english($0 % 240, 60) + " mail a\($0)@corp.example.org" }
        let input = try folder.write("in.txt", texts.joined(separator: "\n\n"))
        var outputs: [[String]] = []
        for threads in [1, 2, 5] {
            var options = options(input)
            (options.threads, options.output, options.heldOut) = (threads, folder.path + "/t\(threads)", 0.1)
            options.nearness = .init()
            options.policy = FilterPolicy(
                name: "test", rules: [.init("personal", ["personal/*"], threshold: 0.8, action: .redact)])
            _ = try Preparation(options).run()
            outputs.append(
                try ["train.jsonl", "held-out.jsonl", "report.json"].map { try folder.read("t\(threads)/" + $0) })
        }
        #expect(outputs[1] == outputs[0] && outputs[2] == outputs[0])
    }

    @Test("Unknown fields are left out and told, unless they are kept")
    func fields() throws {
        let input = try folder.write("in.jsonl", #"{"text":"one","source":"here","score":1.50}"# + "\n")
        var options = options(input)
        let report = try Preparation(options).run()
        #expect(report.fieldsLeftOut == ["source": 1, "score": 1])
        options.keptFields = ["score"]
        options.output = folder.path + "/kept"
        _ = try Preparation(options).run()
        #expect(try folder.read("kept/train.jsonl") == #"{"text":"one","score":1.50}"# + "\n")
    }

    @Test("Memory that does not suffice, an output that is there, and nothing left are refused")
    func refusals() throws {
        let input = try folder.write("in.txt", (0..<40).map { Self.english($0) }.joined(separator: "\n\n"))
        var small = options(input)
        (small.memory, small.nearness) = (10_000, .init())
        let error = #expect(throws: DataError.self) { try Preparation(small).run() }
        #expect(error?.code == .outOfMemory)
        var none = options(input)
        none.cleaning?.length = 1_000_000...2_000_000
        #expect(throws: DataError.self) { try Preparation(none).run() }
        #expect(try folder.names("") == ["in.txt"])
        _ = try Preparation(options(input)).run()
        let again = #expect(throws: DataError.self) { try Preparation(options(input)).run() }
        #expect(again?.code == .unwritable)
    }

    @Test("What a run that was killed left is taken away by the next, and two runs do not mix")
    func leftovers() throws {
        let input = try folder.write("in.txt", "one\n")
        try FileManager.default.createDirectory(
            atPath: folder.path + "/out.partial", withIntermediateDirectories: true)
        try folder.write("out.partial/train.jsonl", "half a line")
        try folder.write("out.partial/strange", "x")
        let other = try OutputDirectory(folder.path + "/out")
        #expect(throws: DataError.self) { try Preparation(options(input)).run() }
        other.discard()
        withExtendedLifetime(other) {}
        _ = try Preparation(options(input)).run()
        #expect(try folder.names("out") == ["report.json", "report.txt", "train.jsonl"])
    }
}
