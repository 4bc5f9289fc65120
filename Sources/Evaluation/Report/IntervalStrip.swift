/// The estimates of a row as dots with their intervals, over an axis that rows of one kind share.
struct IntervalStrip {
    private let low: Double
    private let high: Double
    private let hasAxis: Bool
    private static let width = 220.0, inset = 16.0

    init(_ group: [EvaluationReport.Measure], hasAxis: Bool) {
        let values = group.flatMap { measure in
            measure.estimates.compactMap { $0 }.flatMap { [$0.value, $0.low ?? $0.value, $0.high ?? $0.value] }
                + [measure.chance].compactMap { $0 }
        }.filter(\.isFinite)
        let least = values.min() ?? 0, most = values.max() ?? 1
        // From 0 where the values are not far from it, for lengths to be comparable.
        let begin = least >= 0 && least < 0.7 * most ? 0 : least
        let span = most - begin
        (low, high) = span > 0 ? (begin == 0 ? 0 : begin - 0.05 * span, most + 0.05 * span) : (begin - 0.5, begin + 0.5)
        self.hasAxis = hasAxis
    }

    private func x(_ value: Double) -> String {
        let share = min(1, max(0, (value - low) / (high - low)))
        return PlotText.number(Self.inset + share * (Self.width - 2 * Self.inset))
    }

    func svg(of measure: EvaluationReport.Measure) -> String {
        let top = hasAxis ? 16.0 : 2.0, step = 9.0
        let height = top + step * Double(max(1, measure.estimates.count)) + 2
        var parts: [String] = []
        if hasAxis {
            for value in PlotText.ticks(low, high, 4) {
                parts.append("<text x=\"\(x(value))\" y=\"10\" text-anchor=\"middle\">\(PlotText.label(value))</text>")
            }
        }
        for value in PlotText.ticks(low, high, 4) {
            parts.append(
                "<line class=\"axis\" x1=\"\(x(value))\" x2=\"\(x(value))\" y1=\"\(top - 2)\" y2=\"\(height)\"/>")
        }
        if let chance = measure.chance {
            parts.append(
                "<line class=\"mark\" x1=\"\(x(chance))\" x2=\"\(x(chance))\" y1=\"\(top - 2)\" y2=\"\(height)\"/>")
        }
        for (index, estimate) in measure.estimates.enumerated() {
            guard let estimate, estimate.value.isFinite else { continue }
            let y = PlotText.number(top + step * (Double(index) + 0.5))
            if let low = estimate.low, let high = estimate.high {
                parts.append(
                    "<line class=\"s\(index)\" stroke-width=\"2\" x1=\"\(x(low))\" x2=\"\(x(high))\" y1=\"\(y)\" y2=\"\(y)\"/>"
                )
            }
            parts.append("<circle class=\"d\(index)\" cx=\"\(x(estimate.value))\" cy=\"\(y)\" r=\"3.5\"/>")
        }
        return
            "<svg width=\"\(Int(Self.width))\" height=\"\(Int(height))\" role=\"img\" aria-label=\"\(ReportPage.escaped(measure.name))\">"
            + parts.joined() + "</svg>"
    }
}
