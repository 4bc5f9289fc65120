import Foundation

/// Lines over one axis.
struct CurvePlot {
    private let curve: EvaluationReport.Curve
    private let names: [String]

    init(_ curve: EvaluationReport.Curve, names: [String]) { (self.curve, self.names) = (curve, names) }

    private static let (width, height) = (640.0, 240.0)
    private static let (left, right, top, bottom) = (52.0, 16.0, 26.0, 40.0)

    var svg: String {
        let values = curve.series.flatMap { $0 }.filter(\.isFinite)
        guard curve.x.count > 1, let least = values.min(), let most = values.max() else { return "" }
        let pad = max(0.05 * (most - least), 1e-6), low = least - pad, high = most + pad
        let first = curve.x.min() ?? 0, last = curve.x.max() ?? 1
        func x(_ value: Double) -> String {
            PlotText.number(Self.left + (value - first) / (last - first) * (Self.width - Self.left - Self.right))
        }
        func y(_ value: Double) -> String {
            PlotText.number(Self.top + (high - value) / (high - low) * (Self.height - Self.top - Self.bottom))
        }
        let end = Self.width - Self.right, floor = Self.height - Self.bottom
        var parts = [
            "<text x=\"\(Self.left)\" y=\"14\">\(ReportPage.escaped(curve.title)) (\(ReportPage.escaped(curve.yTitle)))</text>"
        ]
        for value in PlotText.ticks(low, high, 5) {
            parts.append(
                "<line class=\"axis\" x1=\"\(Self.left)\" x2=\"\(end)\" y1=\"\(y(value))\" y2=\"\(y(value))\"/>")
            parts.append(
                "<text x=\"\(Self.left - 6)\" y=\"\(y(value))\" dy=\"4\" text-anchor=\"end\">\(PlotText.label(value))</text>"
            )
        }
        for value in PlotText.ticks(first, last, 8) {
            parts.append(
                "<text x=\"\(x(value))\" y=\"\(floor + 16)\" text-anchor=\"middle\">\(PlotText.label(value))</text>")
        }
        parts.append(
            "<text x=\"\(end)\" y=\"\(floor + 32)\" text-anchor=\"end\">\(ReportPage.escaped(curve.xTitle))</text>")
        for (index, series) in curve.series.enumerated() {
            let points = zip(curve.x, series).filter { $1.isFinite }.map { "\(x($0)),\(y($1))" }
            parts.append(
                "<polyline class=\"s\(index)\" stroke-width=\"2\" points=\"\(points.joined(separator: " "))\"/>")
        }
        return
            "<svg width=\"\(Int(Self.width))\" height=\"\(Int(Self.height))\" role=\"img\" aria-label=\"\(ReportPage.escaped(curve.title))\">"
            + parts.joined() + "</svg>"
    }
}

/// Numbers as plots have them.
enum PlotText {
    static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    static func label(_ value: Double) -> String {
        let rounded = (value * 1e6).rounded() / 1e6
        return rounded == rounded.rounded() && abs(rounded) < 1e9 ? "\(Int(rounded))" : "\(rounded)"
    }

    /// Round values between two, at most some `count`.
    static func ticks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
        guard high > low, (high - low).isFinite else { return [] }
        let raw = (high - low) / Double(count), scale = pow(10, floor(log10(raw)))
        let step = ([1, 2, 5, 10].first { $0 * scale >= raw } ?? 10) * scale
        return Array(stride(from: (low / step).rounded(.up) * step, through: high + 1e-9 * step, by: step))
    }
}
