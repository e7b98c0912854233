"""What sources are made of.

`web` is an HTTP client with manners, `broker` a connection to MQTT, `waiting` rows kept until they are stored. `rows`
and `documents` read other people's answers; `textfile`, `lines`, `table` and `columns` read files, `growing` and
`reading` what is new in them.
"""
