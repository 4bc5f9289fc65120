/// Rows under a heading, in columns as wide as their widest cell.
package struct Table: Sendable {
    private var rows: [[String]]

    package init(_ heading: [String]) { rows = [heading] }

    package mutating func append(_ row: [String]) {
        precondition(row.count == rows[0].count, "\(row.count) cells in a table of \(rows[0].count) columns")
        rows.append(row)
    }

    package var lines: [String] { lines(of: Array(rows[0].indices)) }

    /// As much as fits: columns go in the order of `expendable`, and what is too long all the same is cut.
    ///
    /// - Parameter width: in the terminal's columns.
    package func lines(within width: Int, expendable: [String]) -> [String] {
        var columns = Array(rows[0].indices)
        var going = expendable[...]
        while self.width(of: columns) > width, let name = going.popFirst() { columns.removeAll { rows[0][$0] == name } }
        return lines(of: columns).map { Terminal.cut($0, to: width) }
    }

    private func width(ofColumn column: Int) -> Int { rows.map { Terminal.width(of: $0[column]) }.max() ?? 0 }

    private func width(of columns: [Int]) -> Int {
        columns.reduce(2 * max(0, columns.count - 1)) { $0 + width(ofColumn: $1) }
    }

    private func lines(of columns: [Int]) -> [String] {
        let widths = columns.map(width(ofColumn:))
        return rows.map { row in
            zip(columns, widths).map { column, width in
                column == columns.last
                    ? row[column]
                    : row[column] + String(repeating: " ", count: width - Terminal.width(of: row[column]))
            }.joined(separator: "  ")
        }
    }
}
