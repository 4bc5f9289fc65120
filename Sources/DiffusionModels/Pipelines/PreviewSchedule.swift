/// The steps of a drawing after which previews are sent: evenly spaced, and none after the last step.
///
/// It depends only on the numbers of steps and previews, so that a drawing that moves to another instance keeps its previews.
/// A drawing of very few steps has fewer previews.
package struct PreviewSchedule: Sendable, Equatable {
    /// Previews of one picture, at most.
    package static let limit = 3

    /// Ascending, from 1.
    let steps: [Int]

    /// - Parameters:
    ///   - count: of previews.
    ///   - total: steps of the drawing.
    package init(_ count: Int, of total: Int) {
        precondition((0...Self.limit).contains(count) && total > 0, "\(count) previews of \(total) steps")
        var steps: [Int] = []
        for number in 0..<count {
            let step = (total * (number + 1) + count) / (count + 1)
            if step < total, step != steps.last { steps.append(step) }
        }
        self.steps = steps
    }

    package var count: Int { steps.count }

    /// Which preview comes after so many steps, from 0; nil for none.
    package func index(after step: Int) -> Int? { steps.firstIndex(of: step) }
}
