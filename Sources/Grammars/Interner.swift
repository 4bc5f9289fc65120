/// Values that are held once each and known by their numbers, in the order in which they came.
struct Interner<Value: Hashable> {
    private(set) var values: [Value] = []
    private var numbers: [Value: Int] = [:]

    init(_ values: Value...) {
        for value in values { _ = intern(value) }
    }

    var count: Int { values.count }

    subscript(number: Int) -> Value { values[number] }
    subscript(number: Int32) -> Value { values[Int(number)] }

    func number(of value: Value) -> Int? { numbers[value] }

    /// The number of a value, which is taken in where it is new.
    mutating func intern(_ value: Value) -> Int {
        if let known = numbers[value] { return known }
        values.append(value)
        numbers[value] = values.count - 1
        return values.count - 1
    }
}
