import Console
import Testing

@Suite struct ConsoleTests {
    @Test func `two rows of pixels share a line, clear ones show the ground`() {
        let red: [UInt8] = [255, 0, 0, 255], blue: [UInt8] = [0, 0, 255, 255], clear: [UInt8] = [9, 9, 9, 0]
        let rgba = red + red + clear + clear + blue + clear + blue + clear + red + clear + clear + clear
        let lines = HalfBlockPicture.lines(rgba: rgba, width: 4, height: 3)
        #expect(lines.count == 2)
        #expect(
            lines[0]
                == "\u{1B}[0;38;2;255;0;0;48;2;0;0;255m▀\u{1B}[0;38;2;255;0;0m▀\u{1B}[0;38;2;0;0;255m▄\u{1B}[0m \u{1B}[0m"
        )
        #expect(lines[1] == "\u{1B}[0;38;2;255;0;0m▀\u{1B}[0m \u{1B}[0m \u{1B}[0m \u{1B}[0m")
    }

    @Test(arguments: [(0, 40, 0), (20, 40, 15), (40, 40, 30), (50, 40, 30), (-1, 40, 0), (0, 0, 0)])
    func `a bar fills with its share and never overflows`(done: Int, total: Int, filled: Int) {
        let line = ProgressBar("denoising").line(done, of: total)
        #expect(line.filter { $0 == "█" }.count == filled && line.filter { $0 == "░" }.count == 30 - filled)
        #expect(line.hasPrefix("\rdenoising "))
    }

    @Test func `a curve goes from its largest number to its smallest, in as many cells as there are`() {
        var curve = Curve()
        #expect(curve.lines(columns: 40, rows: 2).isEmpty)
        for number in 0..<500 { curve.append(Double(500 - number)) }
        curve.append(.nan)
        let lines = curve.lines(columns: 40, rows: 2)
        #expect(lines.count == 2 && lines.allSatisfy { $0.count == 40 })
        #expect(lines[0].hasPrefix("500.000 ┤\u{2809}") && lines[1].hasPrefix("  1.000 ┤\u{2800}"))
        #expect(lines[0].last == "\u{2800}" && lines[1].last == "\u{28C0}")
        // Of few numbers, what lies between them: every column of dots has one.
        var two = Curve()
        two.append(1)
        two.append(3)
        let line = two.lines(columns: 27, rows: 1)[0].drop { $0 != "┤" }.dropFirst()
        #expect(
            line.count == 20 && line.allSatisfy { $0 != "\u{2800}" } && line.first == "\u{28C0}"
                && line.last == "\u{2809}")
    }

    @Test func `control characters do not reach the terminal`() {
        #expect(Terminal.printable("a\u{1B}[2Jb\r\n\tc\u{7F}龙\u{9B}") == "a[2Jb\n\tc龙")
    }

    @Test func `a table gives its columns up in turn where the terminal is narrow, and is cut where nothing is left`() {
        var table = Table(["service", "models", "state", "address"])
        table.append(["text-model", "千问-7b", "ready", "10.0.0.7:7002"])
        table.append(["diffusion", "sd", "draining", "10.0.0.8:7003"])
        #expect(
            table.lines == [
                "service     models   state     address", "text-model  千问-7b  ready     10.0.0.7:7002",
                "diffusion   sd       draining  10.0.0.8:7003",
            ])
        #expect(table.lines(within: 44, expendable: ["address", "models"]) == table.lines)
        #expect(
            table.lines(within: 43, expendable: ["address", "models"]) == [
                "service     models   state", "text-model  千问-7b  ready", "diffusion   sd       draining",
            ])
        #expect(
            table.lines(within: 15, expendable: ["address", "models"]) == [
                "service     st…", "text-model  re…", "diffusion   dr…",
            ])
    }

    @Test func `characters of East Asian width take two columns, and none is cut in half`() {
        #expect(Terminal.width(of: "a千问✓") == 6)
        #expect(Terminal.cut("千问abc", to: 7) == "千问abc" && Terminal.cut("千问abc", to: 6) == "千问a…")
        #expect(Terminal.cut("千问abc", to: 4) == "千…" && Terminal.cut("abc", to: 0) == "")
    }
}
