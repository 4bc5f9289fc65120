import Foundation

/// A report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.
package enum ReportPage {
    package static func html(_ report: EvaluationReport, title: String, footer: String) -> String {
        let sections = report.sections.map { section(section: $0, report) }.joined(separator: "\n")
        let models = report.models.enumerated().map { index, model in
            "<li><span class=\"key k\(index)\"></span><b>\(escaped(model.name))</b> · weights in \(escaped(model.precision)) · "
                + "tokenizer <code>\(escaped(model.tokenizer))</code></li>"
        }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(escaped(title))</title><style>\(style)</style></head><body><main>
            <h1>\(escaped(title))</h1>
            \(models.isEmpty ? "" : "<ul class=\"models\">\(models.joined())</ul>")
            <p class="note">Brackets are 95 % confidence intervals: of shares Wilson's, of most others by drawing again with seed \(report.seed). A difference is the \
            second model less the first; where its interval leaves 0 out it is in bold.</p>
            \(sections)
            <footer>\(escaped(footer))</footer></main></body></html>

            """
    }

    private static func section(section: EvaluationReport.Section, _ report: EvaluationReport) -> String {
        let subjects = section.subjects ?? report.models.map(\.name)
        let hasDifference = section.measures.contains { $0.difference != nil }
        let hasChance = section.measures.contains { $0.chance != nil }
        var rows: [String] = []
        var last: String?
        for measure in section.measures {
            let group = section.measures.filter { kind($0) == kind(measure) }
            let strip = IntervalStrip(group, hasAxis: last != kind(measure))
            last = kind(measure)
            let arrow = measure.better.map {
                $0 == .lower ? " <span class=\"better\">↓</span>" : " <span class=\"better\">↑</span>"
            }
            let unit = measure.unit.map { "<span class=\"unit\">\(escaped($0))</span>" } ?? ""
            var cells = "<th scope=\"row\">\(escaped(measure.name))\(arrow ?? "")\(unit)</th>"
            for index in subjects.indices {
                let estimate = index < measure.estimates.count ? measure.estimates[index] : nil
                cells += "<td>\(estimate.map(text) ?? "–")</td>"
            }
            cells += "<td class=\"count\">\(counts(measure))</td>"
            if hasDifference { cells += "<td>\(measure.difference.map(difference) ?? "–")</td>" }
            if hasChance { cells += "<td>\(measure.chance.map(EvaluationReport.rounded) ?? "")</td>" }
            rows.append("<tr>\(cells)<td class=\"strip\">\(strip.svg(of: measure))</td></tr>")
        }
        let keys = subjects.enumerated().map { "<th><span class=\"key k\($0)\"></span>\(escaped($1))</th>" }.joined()
        let head =
            "<tr><th>measure</th>\(keys)<th class=\"count\">n</th>\(hasDifference ? "<th>difference</th>" : "")\(hasChance ? "<th>chance</th>" : "")<th></th></tr>"
        return """
            <section><h2>\(escaped(section.title))</h2><p>\(escaped(section.text))</p>
            <div class="wide"><table><thead>\(head)</thead><tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
            \(section.curve.flatMap { CurvePlot($0)?.svg } ?? "")</section>
            """
    }

    /// Measures of one kind share an axis.
    private static func kind(_ measure: EvaluationReport.Measure) -> String {
        let name = measure.name.split(separator: ",").dropFirst().last.map(String.init) ?? ""
        return "\(measure.unit ?? "")|\(measure.unit == nil ? "" : measure.better?.rawValue ?? "")|\(name)"
    }

    private static func text(_ estimate: Estimate) -> String {
        let value = EvaluationReport.rounded(estimate.value)
        return
            "<span class=\"value\">\(value)</span>\(interval(estimate))"
    }

    /// Units that were drawn: of each model where they had different ones.
    private static func counts(_ measure: EvaluationReport.Measure) -> String {
        let counts = measure.estimates.compactMap { $0?.count }
        return Set(counts).count == 1 ? "\(counts[0])" : counts.map(String.init).joined(separator: " · ")
    }

    private static func difference(_ estimate: Estimate) -> String {
        let sign = estimate.value > 0 ? "+" : ""
        let value = sign + EvaluationReport.rounded(estimate.value)
        let isSure = estimate.low.map { $0 > 0 } == true || estimate.high.map { $0 < 0 } == true
        return (isSure ? "<b>\(value)</b>" : value) + interval(estimate)
    }

    private static func interval(_ estimate: Estimate) -> String {
        guard let low = estimate.low, let high = estimate.high else { return "" }
        return " <span class=\"interval\">[\(EvaluationReport.rounded(low)), \(EvaluationReport.rounded(high))]</span>"
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private static let style = """
        :root{color-scheme:light dark;--ground:#fff;--ink:#1b1f24;--soft:#5b6570;--line:#d7dce1;--c0:#1f6fc4;--c1:#c4571a}
        @media(prefers-color-scheme:dark){:root{--ground:#14171b;--ink:#e6e9ec;--soft:#9aa4ae;--line:#343b43;--c0:#6fb1f5;\
        --c1:#f2a065}}
        body{background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif;margin:0}
        main{max-width:1240px;margin:0 auto;padding:24px}
        h1{font-size:26px;margin:0 0 8px}h2{font-size:19px;margin:36px 0 4px;border-top:1px solid var(--line);padding-top:20px}
        p{max-width:80ch;color:var(--soft);margin:4px 0 12px}ul.models{list-style:none;padding:0;margin:8px 0}
        .wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
        th,td{text-align:left;padding:4px 12px 4px 0;vertical-align:bottom;white-space:nowrap}
        thead th{font-weight:600;border-bottom:1px solid var(--line)}tbody th{font-weight:400}
        .interval,.count,.unit,footer,.better{color:var(--soft)}.count{font-size:12px}.unit{margin-left:6px;font-size:12px}
        .key{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px}.k0{background:var(--c0)}
        .k1{background:var(--c1)}.strip{width:220px;padding-right:0}svg{display:block}section>svg{margin-top:18px;max-width:100%}svg text{fill:var(--soft);font-size:11px}
        .s0{stroke:var(--c0);fill:none}.s1{stroke:var(--c1);fill:none}.d0{fill:var(--c0)}.d1{fill:var(--c1)}
        .axis{stroke:var(--line)}.mark{stroke:var(--soft);stroke-dasharray:3 3}footer{margin:40px 0 0;font-size:13px}
        """
}
