import Foundation

/// Lines over one axis, and points beside them.
struct CurvePlot {
    private let curve: EvaluationReport.Curve
    private let isLogarithmic: Bool
    /// The ends of both axes, as they are drawn: logarithms where the axes are.
    private let (first, last): (Double, Double)
    private let (low, high): (Double, Double)

    init?(_ curve: EvaluationReport.Curve) {
        self.curve = curve
        isLogarithmic = curve.isLogarithmic == true
        func place(_ value: Double) -> Double { curve.isLogarithmic == true ? log10(value) : value }
        let points = (curve.points ?? []).flatMap { $0 }
        let y = (curve.series.flatMap { $0 } + points.map { $0[1] }).map(place).filter(\.isFinite)
        let x = (curve.x + points.map { $0[0] }).map(place).filter(\.isFinite)
        guard let least = y.min(), let most = y.max(), let first = x.min(), let last = x.max(), last > first else {
            return nil
        }
        let pad = max(0.05 * (most - least), 1e-6)
        (self.first, self.last, low, high) = (first, last, least - pad, most + pad)
    }

    private static let (width, height) = (640.0, 240.0)
    private static let (left, right, top, bottom) = (52.0, 16.0, 26.0, 40.0)

    private func x(_ value: Double) -> String {
        let place = isLogarithmic ? log10(value) : value
        return PlotText.number(Self.left + (place - first) / (last - first) * (Self.width - Self.left - Self.right))
    }

    private func y(_ value: Double) -> String {
        let place = isLogarithmic ? log10(value) : value
        return PlotText.number(Self.top + (high - place) / (high - low) * (Self.height - Self.top - Self.bottom))
    }

    private func ticks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
        guard isLogarithmic else { return PlotText.ticks(low, high, count) }
        // 1, 2 and 5 of each power of ten, or powers alone where there are many.
        let powers = Int(low.rounded(.down))...Int(high.rounded(.up))
        let steps: [Double] = powers.count > 4 ? [1] : high - low < 0.7 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5]
        return powers.flatMap { power in steps.map { $0 * pow(10, Double(power)) } }.filter {
            log10($0) >= low && log10($0) <= high
        }
    }

    var svg: String {
        let end = Self.width - Self.right, floor = Self.height - Self.bottom
        var parts = [
            "<text x=\"\(Self.left)\" y=\"14\">\(ReportPage.escaped(curve.title)) (\(ReportPage.escaped(curve.yTitle)))</text>"
        ]
        for value in ticks(low, high, 5) {
            parts.append(
                "<line class=\"axis\" x1=\"\(Self.left)\" x2=\"\(end)\" y1=\"\(y(value))\" y2=\"\(y(value))\"/>")
            parts.append(
                "<text x=\"\(Self.left - 6)\" y=\"\(y(value))\" dy=\"4\" text-anchor=\"end\">\(PlotText.label(value))</text>"
            )
        }
        for value in ticks(first, last, 8) {
            parts.append(
                "<text x=\"\(x(value))\" y=\"\(floor + 16)\" text-anchor=\"middle\">\(PlotText.label(value))</text>")
        }
        parts.append(
            "<text x=\"\(end)\" y=\"\(floor + 32)\" text-anchor=\"end\">\(ReportPage.escaped(curve.xTitle))</text>")
        for (index, series) in curve.series.enumerated() { parts += line(index, series) }
        for (index, points) in (curve.points ?? []).enumerated() {
            parts += points.map { "<circle class=\"d\(index)\" cx=\"\(x($0[0]))\" cy=\"\(y($0[1]))\" r=\"3.5\"/>" }
        }
        return
            "<svg width=\"\(Int(Self.width))\" height=\"\(Int(Self.height))\" role=\"img\" aria-label=\"\(ReportPage.escaped(curve.title))\">"
            + parts.joined() + "</svg>"
    }

    private func line(_ index: Int, _ series: [Double]) -> [String] {
        let points = zip(curve.x, series).filter { $1.isFinite }
        let cut = curve.measuredEnd ?? .infinity
        let inside = points.filter { $0.0 <= cut }, beyond = points.filter { $0.0 > cut }
        func text(_ points: [(Double, Double)], _ dash: String) -> String {
            let places = points.map { "\(x($0.0)),\(y($0.1))" }.joined(separator: " ")
            return "<polyline class=\"s\(index)\" stroke-width=\"2\"\(dash) points=\"\(places)\"/>"
        }
        return [text(inside, "")]
            + (beyond.isEmpty ? [] : [text(inside.suffix(1) + beyond, " stroke-dasharray=\"4 4\"")])
    }
}

/// Numbers as plots have them.
enum PlotText {
    static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    static func label(_ value: Double) -> String {
        for (scale, sign) in [(1e9, "B"), (1e6, "M")] where abs(value) >= scale {
            return String(format: "%.3g", value / scale) + sign
        }
        let rounded = (value * 1e6).rounded() / 1e6
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    /// Round values between two, at most some `count`.
    static func ticks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
        guard high > low, (high - low).isFinite else { return [] }
        let raw = (high - low) / Double(count), scale = pow(10, floor(log10(raw)))
        let step = ([1, 2, 5, 10].first { $0 * scale >= raw } ?? 10) * scale
        return Array(stride(from: (low / step).rounded(.up) * step, through: high + 1e-9 * step, by: step))
    }
}
